import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onPath } from './debian-tools.ts';
import { LabError } from './lab-error.ts';
import { runCommand } from './run-command.ts';

/** The paths of a certificate and its key, both PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** Signs the certificates of one cluster. */
export interface Authority extends Certificate {
  readonly directory: string;
}

export interface CertificateRequest {
  /** Of the files: `admin` makes admin.crt and admin.key. */
  readonly name: string;
  /** `/O=system:masters/CN=admin`: to Kubernetes, the common name is the user and each organization a group. */
  readonly subject: string;
  /** `IP:127.0.0.1`, `DNS:localhost`. */
  readonly alternativeNames?: readonly string[];
}

/** The lab's clusters live for minutes. */
const VALID_DAYS = '30';

export async function makeAuthority(directory: string): Promise<Authority> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign', 'subjectKeyIdentifier=hash'];
  return { directory, ...(await makeCertificate(directory, { name: 'ca', subject: '/CN=image-cleaner-lab' }, { extensions })) };
}

/** A certificate for a client or a server, or both. */
export async function issueCertificate(authority: Authority, request: CertificateRequest): Promise<Certificate> {
  const names = request.alternativeNames ?? [];
  const extensions = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature,keyEncipherment',
    'extendedKeyUsage=clientAuth,serverAuth',
    ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
  ];
  return await makeCertificate(authority.directory, request, { extensions, authority });
}

/** The key pair that service account tokens are signed and checked with. */
export async function makeTokenKeys(directory: string): Promise<{ readonly privateKey: string; readonly publicKey: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const paths = { privateKey: join(directory, 'tokens.key'), publicKey: join(directory, 'tokens.pub') };
  await writeFile(paths.privateKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await writeFile(paths.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  return paths;
}

/** Signed by the authority, or by itself when there is none. */
async function makeCertificate(
  directory: string,
  { name, subject }: CertificateRequest,
  { extensions, authority }: { extensions: readonly string[]; authority?: Authority },
): Promise<Certificate> {
  const openssl = onPath('openssl');
  if (openssl === null) {
    throw new LabError({ code: 'tool-missing', message: 'The certificates of a cluster are made by openssl, which is not on PATH.' });
  }
  const path = (suffix: string): string => join(directory, `${name}.${suffix}`);
  // A configuration of our own: the machine's would add extensions.
  const config = ['[req]', 'distinguished_name=subject', 'x509_extensions=extensions', '[subject]', '[extensions]', ...extensions, ''];
  await writeFile(path('cnf'), config.join('\n'));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path('key')];
  const signer = authority === undefined ? [] : ['-CA', authority.certificate, '-CAkey', authority.key];
  const request = ['-config', path('cnf'), '-subj', subject, '-days', VALID_DAYS, '-out', path('crt')];
  await runCommand(openssl, ['req', '-x509', ...request, ...key, ...signer]);
  return { certificate: path('crt'), key: path('key') };
}
