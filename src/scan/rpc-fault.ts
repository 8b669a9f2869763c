import { errorMessage } from '../platform/errors.ts';
import { ScannerFault, scannerFault } from './scanner-fault.ts';

/** Node's codes for a certificate that does not prove who the server is begin so, beside OpenSSL's own. */
const CERTIFICATE = /^(?:ERR_TLS_CERT|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|ERR_OSSL_(?:X509|PEM|ASN1))/;
/** The server does not speak TLS, or the address says https in http's place. */
const NO_TLS = /^(?:EPROTO|ERR_SSL_|HPE_)/;

/** What a call that got no answer at all means. */
export function callFault(base: URL, cause: unknown): ScannerFault {
  if (cause instanceof ScannerFault) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  const message = errorMessage(cause);
  if (CERTIFICATE.test(code))
    return scannerFault('server-certificate', `The certificate of the Trivy server at ${base.href} is not accepted: ${message}.`, cause);
  if (NO_TLS.test(code))
    return scannerFault('server-bad-answer', `What is at ${base.href} does not speak ${scheme(base)}: ${message}.`, cause);
  if (code === 'ERR_INVALID_CHAR' || code === 'ERR_INVALID_HTTP_TOKEN')
    return scannerFault('server-address', `A request to ${base.href} cannot carry this token in this header.`);
  return scannerFault('server-unreachable', `The Trivy server at ${base.href} cannot be reached: ${message}.`, cause);
}

function scheme(base: URL): string {
  return base.protocol.slice(0, -1);
}
