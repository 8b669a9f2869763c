import { createServer } from 'node:http';

/**
 * A program that stands in for `trivy server`: it listens on a port of the kernel's choice, takes only calls with its token, stores nothing and
 * finds an Alpine without vulnerabilities in everything. Started by tests as the scanner starts the real one; its argument is its version.
 */
const ALPINE = Buffer.from([0x0a, 0x08, 0x0a, 0x06, ...Buffer.from('alpine')]);
const [, , version = '0.74.0'] = process.argv;

createServer((request, response) => {
  request.resume().once('end', () => {
    if (request.url === '/version') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ Version: version }));
      return;
    }
    const isKnown = request.headers['trivy-token'] === process.env['TRIVY_TOKEN'];
    const type = isKnown ? 'application/protobuf' : 'application/json';
    const verdict = request.url?.endsWith('/Scan') === true ? ALPINE : '';
    response.writeHead(isKnown ? 200 : 401, { 'content-type': type }).end(isKnown ? verdict : '{"code":"unauthenticated","msg":""}');
  });
}).listen(0, '127.0.0.1');
