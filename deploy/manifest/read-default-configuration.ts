import { readFileSync } from 'node:fs';

/** The configuration that the manifest comes with; its tags tell which version is installed. */
export function readDefaultConfiguration(version: string): string {
  return readFileSync(new URL('default-configuration.yaml', import.meta.url), 'utf8').replaceAll('VERSION', version);
}
