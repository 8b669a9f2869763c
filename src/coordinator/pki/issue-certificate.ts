import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { bitString, boolean, integer, objectIdentifier, octetString, sequence, set, tagged, time, utf8String } from './der.ts';

/** A certificate and its private key, both PEM. */
export interface KeyedCertificate {
  readonly certificate: string;
  /** Secret. */
  readonly key: string;
}

/** Milliseconds since the epoch. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

const OIDS = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
} as const;

/** A key usage is a bit of its own, counted from the left (RFC 5280, 4.2.1.3). */
const DIGITAL_SIGNATURE = bitString(Buffer.from([0b1000_0000]), 7);
const CERTIFICATES_AND_REVOCATIONS = bitString(Buffer.from([0b0000_0110]), 1);

/** An authority that may sign certificates for servers, and no other authorities. The name is its own: two in one bundle are told apart by it. */
export function issueAuthority(name: string, validity: Validity): KeyedCertificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const extensions = [
    extension('basicConstraints', sequence(boolean(true), integer(Buffer.from([0]))), { critical: true }),
    extension('keyUsage', CERTIFICATES_AND_REVOCATIONS, { critical: true }),
  ];
  return issue({ name, keys, validity, extensions, issuer: { name, ...keys } });
}

/** For a server of these DNS names. Does not outlive the authority: nobody would take it after that. */
export function issueServerCertificate(authority: KeyedCertificate, names: readonly string[], validity: Validity): KeyedCertificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = new X509Certificate(authority.certificate);
  const extensions = [
    extension('basicConstraints', sequence(), { critical: true }),
    extension('keyUsage', DIGITAL_SIGNATURE, { critical: true }),
    extension('extendedKeyUsage', sequence(objectIdentifier(OIDS.serverAuthentication))),
    extension('subjectAltName', sequence(...names.map((name) => tagged(2, Buffer.from(name, 'ascii'), { constructed: false })))),
  ];
  return issue({
    name: 'image-cleaner-coordinator',
    keys,
    validity: { from: validity.from, until: Math.min(validity.until, Date.parse(signer.validTo)) },
    extensions,
    issuer: { name: commonNameOf(signer), publicKey: signer.publicKey, privateKey: createPrivateKey(authority.key) },
  });
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Issue {
  readonly name: string;
  readonly keys: KeyPair;
  readonly validity: Validity;
  readonly extensions: readonly Buffer[];
  readonly issuer: KeyPair & { readonly name: string };
}

const SIGNATURE_ALGORITHM = sequence(objectIdentifier(OIDS.ecdsaWithSha256));
const VERSION_3 = tagged(0, integer(Buffer.from([2])), { constructed: true });
const SERIAL_BYTES = 16;

function issue({ name, keys, validity, extensions, issuer }: Issue): KeyedCertificate {
  const identifiers = [
    extension('subjectKeyIdentifier', octetString(keyIdentifier(keys.publicKey))),
    extension('authorityKeyIdentifier', sequence(tagged(0, keyIdentifier(issuer.publicKey), { constructed: false }))),
  ];
  const toBeSigned = sequence(
    VERSION_3,
    integer(serialNumber()),
    SIGNATURE_ALGORITHM,
    distinguishedName(issuer.name),
    sequence(time(validity.from), time(validity.until)),
    distinguishedName(name),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...extensions, ...identifiers), { constructed: true }),
  );
  const signature = sign('sha256', toBeSigned, issuer.privateKey);
  const certificate = new X509Certificate(sequence(toBeSigned, SIGNATURE_ALGORITHM, bitString(signature)));
  return { certificate: certificate.toString(), key: String(keys.privateKey.export({ type: 'pkcs8', format: 'pem' })) };
}

/** Positive, and never of the same length by chance: the first bits are 01. */
function serialNumber(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function extension(name: keyof typeof OIDS, content: Buffer, { critical = false } = {}): Buffer {
  return sequence(objectIdentifier(OIDS[name]), ...(critical ? [boolean(true)] : []), octetString(content));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(objectIdentifier(OIDS.commonName), utf8String(commonName))));
}

/** Of an authority made here, whose name is nothing but that. */
function commonNameOf({ subject }: X509Certificate): string {
  return subject.replace(/^CN=/, '');
}
