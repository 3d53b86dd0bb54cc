import { Curve, type KeyPair, proto } from '@whiskeysockets/baileys'

export interface ServerIdentity {
  /** The static key of the Noise handshake. */
  keyPair: KeyPair
  /** An encoded `CertChain` that vouches for it. */
  certificate: Uint8Array
}

/**
 * A chain of the right shape under a root of our own. Baileys 7.0.0-rc14 accepts it: its `Curve.verify`
 * returns true whenever libsignal does not throw, and libsignal reports a bad signature by returning false.
 */
export function createServerIdentity(): ServerIdentity {
  const root = Curve.generateKeyPair()
  const intermediate = Curve.generateKeyPair()
  const keyPair = Curve.generateKeyPair()
  const certificate = proto.CertChain.encode({
    leaf: signedCertificate({ serial: 1, issuerSerial: 1, key: keyPair.public }, intermediate),
    intermediate: signedCertificate({ serial: 1, issuerSerial: 0, key: intermediate.public }, root),
  }).finish()
  return { keyPair, certificate }
}

function signedCertificate(
  fields: proto.CertChain.NoiseCertificate.IDetails,
  issuer: KeyPair,
): proto.CertChain.INoiseCertificate {
  const details = Buffer.from(proto.CertChain.NoiseCertificate.Details.encode(fields).finish())
  return { details, signature: Curve.sign(issuer.private, details) }
}
