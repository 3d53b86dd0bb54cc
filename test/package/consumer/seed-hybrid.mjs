// The seed's snippets as they stand, and a look at what they give.
import { makeWASocket } from '@whiskeysockets/baileys';
import { useHybridAuthState } from '@luoarch/baileys-store-core/hybrid';

const { state, saveCreds, store } = await useHybridAuthState({
  sessionId: 'my-session',
  hybrid: {
    redisUrl: 'redis://localhost:6379',
    mongoUrl: 'mongodb://localhost:27017',
    mongoDatabase: 'whatsapp',
    mongoCollection: 'auth',
    ttl: {
      defaultTtl: 30 * 24 * 60 * 60, // 30 days
      credsTtl: 30 * 24 * 60 * 60,
      keysTtl: 30 * 24 * 60 * 60,
      lockTtl: 5,
    },
    masterKey: process.env.BAILEYS_MASTER_KEY, // 64-char hex key
    security: {
      enableEncryption: false, // Set true in production
      enableCompression: false,
      encryptionAlgorithm: 'secretbox',
      compressionAlgorithm: 'snappy',
      keyRotationDays: 90,
      enableDebugLogging: false, // Set true for development debugging
      environment: 'production', // 'development' | 'production' | 'test'
    },
    resilience: {
      operationTimeout: 5000,
      maxRetries: 3,
      retryBaseDelay: 100,
      retryMultiplier: 2,
    },
    observability: {
      enableMetrics: true,
      enableTracing: false,
      enableDetailedLogs: false,
      metricsInterval: 60000,
    },
    enableWriteBehind: false, // Set true with queue for async MongoDB writes
  },
});

const socket = makeWASocket({ auth: state });

socket.ev.on('creds.update', saveCreds);
socket.ev.on('connection.update', (update) => {
  console.log('Connection:', update.connection);
});

// Check circuit breaker status
const isOpen = store.isMongoCircuitBreakerOpen();
const stats = store.getCircuitBreakerStats();

// Get outbox stats
const outboxStats = store.getOutboxStats();

// Manually trigger reconciliation
await store.reconcileOutbox();

await state.keys.set({ 'lid-mapping': { 1: '2' } })
await saveCreds()
const { data } = await store.get('my-session')
const metricsText = await store.getMetricsText()
const answers = [isOpen, typeof stats.fires, typeof outboxStats.totalProcessed]
process.stdout.write(`\n${JSON.stringify([data.keys, ...answers, metricsText.includes('redis_hits_total')])}`)
await store.delete('my-session')
process.exit(0)
