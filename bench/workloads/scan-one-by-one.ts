import { execFileSync } from 'node:child_process';

/** A Trivy process for each image, one after the other. Arguments: Trivy, its cache folder, the socket, a working folder, the names. */
const [trivy = '', cacheDir = '', socketPath = '', workDir = '', ...names] = process.argv.slice(2);

/** What a scan of ours comes down to, by a Trivy that judges by itself. */
const SCAN = [
  'image',
  ...['--cache-dir', cacheDir, '--cache-backend', 'memory', '--skip-db-update', '--skip-java-db-update', '--offline-scan'],
  ...['--quiet', '--disable-telemetry', '--skip-version-check'],
  ...['--format', 'json', '--scanners', 'vuln', '--pkg-types', 'os,library', '--list-all-pkgs=false', '--image-src', 'containerd', '--'],
];

for (const name of names) {
  const report = execFileSync(trivy, [...SCAN, name], {
    cwd: workDir,
    env: { PATH: '/usr/bin:/bin', HOME: workDir, TMPDIR: workDir, CONTAINERD_ADDRESS: socketPath, CONTAINERD_NAMESPACE: 'k8s.io' },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (!report.includes('VulnerabilityID')) throw new Error(`Trivy found nothing in ${name}`);
}
