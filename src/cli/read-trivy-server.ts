import type { TrivyServerSource } from '../scan/trivy-options.ts';
import { badUsage } from './cli-error.ts';
import type { CliContext } from './context.ts';
import type { ScannerOptions } from './parsed-options.ts';
import { readInputFile } from './read-input-file.ts';

/** The Trivy server that the options name, with the files that they name for it; null: Trivy judges here. */
export async function readTrivyServer({ env }: CliContext, options: ScannerOptions): Promise<TrivyServerSource | null> {
  const { trivyServer: url, trivyTokenFile, trivyCa } = options;
  if (url === undefined) return null;
  const fromFile = trivyTokenFile === undefined ? undefined : await readToken(trivyTokenFile);
  const token = fromFile ?? env['TRIVY_TOKEN'];
  return {
    kind: 'server',
    url,
    ...(token === undefined || token === '' ? {} : { token }),
    ...(trivyCa === undefined ? {} : { ca: await readCertificates(trivyCa) }),
    ...(options.skipDbUpdate ? {} : { javaIndex: { kind: 'download' } }),
  };
}

async function readToken(path: string): Promise<string> {
  const token = (await readInputFile('--trivy-token-file', path, MOST_TOKEN_BYTES)).trim();
  // The content is a secret: it is not quoted.
  if (!/^[\x21-\x7e]+$/.test(token)) throw badUsage(`--trivy-token-file ${path} must hold one word of printable ASCII, the token.`);
  return token;
}

async function readCertificates(path: string): Promise<string> {
  const text = await readInputFile('--trivy-ca', path, MOST_CERTIFICATE_BYTES);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw badUsage(`--trivy-ca ${path} holds no certificate in PEM form.`);
  return text;
}

/** A JSON Web Token takes one or two KiB; servers refuse headers of more. */
const MOST_TOKEN_BYTES = 8 * 1024;
/** The bundle of all public authorities takes a fifth of this. */
const MOST_CERTIFICATE_BYTES = 1024 * 1024;
