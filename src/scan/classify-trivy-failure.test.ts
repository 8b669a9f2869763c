import { describe, expect, it } from 'vitest';
import { classifyTrivyFailure, fatalMessageOf } from './classify-trivy-failure.ts';

// Recorded from Trivy 0.74.0 against containerd 2.2.3.
const DIFF_ID = `sha256:${'5'.repeat(64)}`;
const DIGEST = `sha256:${'8'.repeat(64)}`;
const fatal = (message: string): string => `2026-11-21T08:36:37Z\tFATAL\tFatal error\t${message}\n`;
const fromContainerd = (message: string): string =>
  fatal(
    'run error: image scan error: scan error: unable to initialize a scan service: unable to initialize artifact: unable to initialize ' +
      `container image: unable to find the specified image "docker.io/library/a:1" in ["containerd"]: 1 error occurred:\n\t* containerd error: ${message}\n\n`,
  );
const fromLayer = (message: string): string =>
  fatal(
    'run error: image scan error: scan error: scan failed: failed analysis: analyze error: pipeline error: failed to analyze layer ' +
      `(${DIFF_ID}): ${message}`,
  );
const fromExport = (message: string): string =>
  fromLayer(
    `unable to get uncompressed layer ${DIFF_ID}: failed to get the layer (${DIFF_ID}): unable to populate: unable to open: failed to copy the image: ${message}`,
  );
const dialing = (problem: string): string =>
  `failed to list images from containerd client: connection error: desc = "transport: Error while dialing: dial unix /run/x.sock: ${problem}"`;

describe('classifyTrivyFailure: unscanned', () => {
  it.each([
    ['a layer deleted from the store', fromExport(`failed to get reader: content digest ${DIGEST}: not found`), 'content-missing'],
    [
      'a blob whose file is gone',
      fromExport(`failed to copy to tar: rpc error: code = NotFound desc = blob ${DIGEST} expected at /x: blob not found: not found`),
      'content-missing',
    ],
    ['a blob damaged in the store', fromExport(`unexpected digest ${DIGEST} copied`), 'content-missing'],
    ['no configuration or manifest', fromContainerd(`inspect error: content digest ${DIGEST}: not found`), 'content-missing'],
    ['a full disk', fromExport('write /t/trivy-531073485/containerd-export-2429092794: no space left on device'), 'disk-full'],
    ["Trivy's own deadline", fromContainerd('failed to list images from containerd client: context deadline exceeded'), 'timeout'],
    ['SIGTERM', fromExport('failed to copy to tar: rpc error: code = Canceled desc = context canceled'), 'killed'],
    ['no memory to begin with', 'fatal error: failed to reserve page summary memory\n\nruntime stack:\nruntime.throw\n', 'out-of-memory'],
    [
      'no memory later',
      'runtime: out of memory: cannot allocate 67108864-byte block (1 in use)\nfatal error: out of memory\n\ngoroutine 1 [running]:\n',
      'out-of-memory',
    ],
    ['no memory for a child', fromLayer('analyze error: fork/exec /usr/bin/x: cannot allocate memory'), 'out-of-memory'],
    ['an unknown failure of a layer', fromLayer('walk error: failed to extract the archive: maximum output size exceeded'), 'scan-failed'],
    ['an unknown failure', fatal('run error: image scan error: scan error: something new'), 'scan-failed'],
    ['silence', '', 'scan-failed'],
  ])('%s', (_, stderr, reason) => {
    expect(classifyTrivyFailure(stderr)).toMatchObject({ kind: 'unscanned', reason });
  });
});

describe('classifyTrivyFailure: unparsable', () => {
  it.each(['archive/tar: invalid tar header', 'unexpected EOF', 'flate: corrupt input before offset 89', 'gzip: invalid checksum'])(
    '%s',
    (problem) => {
      expect(classifyTrivyFailure(fromLayer(`walk error: failed to extract the archive: ${problem}`))).toEqual({
        kind: 'unparsable',
        error: `failed to analyze layer (${DIFF_ID}): walk error: failed to extract the archive: ${problem}`,
      });
    },
  );

  it('is only what the walk of the layer itself says', () => {
    const copying = classifyTrivyFailure(fromExport('failed to copy to tar: unexpected EOF'));
    expect(copying).toMatchObject({ kind: 'unscanned', reason: 'scan-failed' });
  });
});

describe('classifyTrivyFailure: faults of the scanner', () => {
  it.each([
    [
      'no database',
      fatal('run error: init error: DB error: database error: --skip-db-update cannot be specified on the first run'),
      'no-database',
    ],
    [
      'no bbolt file',
      fatal('run error: init error: DB error: error in vulnerability DB initialize: failed to open db: invalid database'),
      'bad-database',
    ],
    [
      'another schema',
      fatal("run error: init error: DB error: database error: the version of DB schema doesn't match. Local DB: 3, Expected: 2"),
      'bad-database',
    ],
    [
      'a garbled advisory',
      fatal(
        'run error: image scan error: scan error: scan failed: scan failed: failed to detect vulnerabilities: unable to scan OS packages: failed ' +
          'vulnerability detection of OS packages: failed detection: failed to get alpine advisories: json unmarshal error: json: cannot unmarshal',
      ),
      'bad-database',
    ],
    [
      'a page of the database missing',
      'panic: assertion failed: Page expected to be: 8, but self identifies as 21552\n\ngoroutine 1 [running]:\ngo.etcd.io/bbolt/internal/common.(*Page).FastCheck(0x7f)\n',
      'bad-database',
    ],
    ['an option it does not know', fatal('unknown flag: --nonsense'), 'unsupported-version'],
    ['no socket', fromContainerd('containerd socket not found: /run/x.sock'), 'runtime-unreachable'],
    ['nobody at the socket', fromContainerd(dialing('connect: connection refused')), 'runtime-unreachable'],
    ['no right to the socket', fromContainerd(dialing('connect: permission denied')), 'runtime-unreachable'],
    [
      'containerd dies',
      fromExport('failed to copy to tar: rpc error: code = Unavailable desc = error reading from server: EOF'),
      'runtime-unreachable',
    ],
    [
      'no place to unpack to',
      fromContainerd('failed to create a temporary file: failed to create temp dir: stat /t: no such file or directory'),
      'no-work-directory',
    ],
    ['another failure to start', fatal('run error: init error: WASM module error: x'), 'start-failed'],
  ])('%s', (_, stderr, code) => {
    expect(classifyTrivyFailure(stderr)).toMatchObject({ kind: 'fault', code });
  });

  it('no name of a file in an image makes one', () => {
    const name = 'run error: init error: DB error: x';
    expect(classifyTrivyFailure(fromLayer(`walk error: failed to analyze ${name}: ${name}`))).toMatchObject({ kind: 'unscanned' });
    expect(classifyTrivyFailure(fromLayer(`walk error: failed to analyze x\n${fatal(name)}`))).toMatchObject({ kind: 'unscanned' });
    const panic = 'x\npanic: y\n\ngoroutine 1 [running]:\ngo.etcd.io/bbolt.x()\n';
    expect(classifyTrivyFailure(fromLayer(`walk error: failed to analyze ${panic}`))).toMatchObject({ kind: 'unscanned' });
  });
});

describe('classifyTrivyFailure: what needs a second look', () => {
  it('a panic over an image', () => {
    const stderr =
      'panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\nx\n';
    expect(classifyTrivyFailure(stderr)).toEqual({
      kind: 'crashed',
      message: 'Trivy crashed: panic: runtime error: invalid memory address or nil pointer dereference',
    });
  });

  it.each([
    fromContainerd('image not found in containerd store: a:1'),
    fromContainerd('parse error: invalid reference format'),
    fatal(
      'run error: image scan error: scan error: unable to initialize a scan service: unable to initialize artifact: unable to initialize ' +
        'container image: failed to parse the image name: could not parse reference: a:1',
    ),
  ])('a name that containerd does not have: %#', (stderr) => {
    expect(classifyTrivyFailure(stderr)).toMatchObject({ kind: 'no-such-name' });
  });

  it('no Java index', () => {
    const message =
      "post analysis error: post analysis error: Unable to initialize the Java DB: Java DB update failed: '--skip-java-db-update' cannot be specified on the first run";
    expect(classifyTrivyFailure(fromLayer(message))).toMatchObject({ kind: 'no-java-index' });
  });
});

describe('fatalMessageOf', () => {
  it('is the same for two attempts that fail alike', () => {
    const attempt = (time: string, random: number) =>
      fatalMessageOf(`${time}\tFATAL\tFatal error\twrite /tmp/scan-a1/trivy-${random}/containerd-export-${random}: broken\n`);
    expect(attempt('2026-11-21T08:36:37Z', 531073485)).toBe(attempt('2026-11-21T08:36:38Z', 1263995859));
  });

  it('leaves warnings before it out, and is short', () => {
    expect(fatalMessageOf(`2026-11-21T08:36:37Z\tWARN\tbeware\n${fatal('x'.repeat(10_000))}`)).toBe('x'.repeat(2_000));
  });
});
