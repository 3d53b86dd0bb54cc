import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { onTestFinished } from 'vitest'

/** Of nobody: `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost`. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSGwnFu6e+nXDhJcV
69a6FX5g0mAKKf2/1Khug4DuTdyhRANCAATQyuYcvtcclYz4ivNlB/ImiNM5w6dp
egy2Jnx2H8oPau46afJDu1zwuaHwN2HAqlwTw9MmQ84gH3Frxj6yz+5U
-----END PRIVATE KEY-----`
const cert = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUHn/igwmbIQLAWlsJddNlUbalW4AwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTAxMTMwN1oYDzIxMjYxMTA1
MDExMzA3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATQyuYcvtcclYz4ivNlB/ImiNM5w6dpegy2Jnx2H8oPau46afJDu1zw
uaHwN2HAqlwTw9MmQ84gH3Frxj6yz+5Uo1MwUTAdBgNVHQ4EFgQUuk/QcE0I0YuA
l+h8i7FcoTFKv8gwHwYDVR0jBBgwFoAUuk/QcE0I0YuAl+h8i7FcoTFKv8gwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAs5ISsFonR9NveAUxtsNr
Byw5J30GSE9OvU9b/I2K02kCIER/tm+In63bCM+9JQQ5PvRXeVz0YWatu+cldRFT
ioXU
-----END CERTIFICATE-----`

/** A server whose certificate nobody has signed. Returns its port. */
export async function startUntrustedServer(): Promise<number> {
  const server = createServer({ key, cert }, socket => socket.on('error', () => {}))
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}
