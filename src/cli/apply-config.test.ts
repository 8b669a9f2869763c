import { describe, expect, it } from 'vitest';
import { V1ALPHA2, V1ALPHA3 } from '../../test/fakes/eraser-configs.ts';
import type { EraserConfig } from '../api/eraser-config.ts';
import { parseEraserConfig } from '../api/eraser-config/parse-eraser-config.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { configuredOptions } from './apply-config.ts';
import { parseYaml } from '../platform/parse-yaml.ts';

function configOf(value: unknown): EraserConfig {
  const parsed = parseEraserConfig(value, { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml });
  if (!parsed.ok) throw new Error(parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return parsed.config;
}

const withRuntime = (runtime: object): EraserConfig => configOf({ ...V1ALPHA3, manager: { runtime } });
const withScanner = (scanner: object): EraserConfig =>
  configOf({ ...V1ALPHA3, components: { scanner: { ...V1ALPHA3.components.scanner, ...scanner } } });
const elsewhere = { env: {}, cacheDirExists: false };

describe('configuredOptions', () => {
  it("of Eraser's own configuration", () => {
    expect(configuredOptions(configOf(V1ALPHA2), elsewhere)).toEqual({
      scanner: 'trivy',
      dbRepository: 'ghcr.io/aquasecurity/trivy-db',
      keepEndOfLife: false,
      keepUnscannable: false,
      severity: ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'],
      pkgTypes: ['os', 'library'],
      ignoreUnfixed: true,
      ignoreStatus: [],
      timeoutPerImage: 3_600_000,
      timeoutTotal: 82_800_000,
    });
  });

  it('without the scanner, switched off or absent', () => {
    expect(configuredOptions(withScanner({ enabled: false }), elsewhere)).toMatchObject({ scanner: 'none' });
    expect(configuredOptions(configOf({ ...V1ALPHA3, components: {} }), elsewhere)).toMatchObject({ scanner: 'none' });
  });

  it("says nothing of a scan for a scanner of the user's own", () => {
    const image = { repo: 'ghcr.io/acme/scanner', tag: '1' };
    expect(configuredOptions(withScanner({ image, config: 'x' }), elsewhere)).toEqual({ scanner: 'trivy' });
  });

  it('takes up an address that is not the usual one of the runtime, unless the environment names one', () => {
    const k3s = 'unix:///run/k3s/containerd/containerd.sock';
    expect(configuredOptions(withRuntime({ name: 'containerd', address: k3s }), elsewhere)).toMatchObject({ runtimeEndpoint: k3s });
    for (const runtime of [{}, { name: 'crio' }, { name: 'crio', address: 'unix:///run/crio/crio.sock' }, { name: 'dockershim' }]) {
      expect(configuredOptions(withRuntime(runtime), elsewhere)).not.toHaveProperty('runtimeEndpoint');
    }
    const env = { CONTAINER_RUNTIME_ENDPOINT: 'unix:///run/crio/crio.sock' };
    const named = withRuntime({ name: 'containerd', address: k3s });
    expect(configuredOptions(named, { ...elsewhere, env })).not.toHaveProperty('runtimeEndpoint');
  });

  it("takes up the cache folder where it exists, unless the environment names Trivy's", () => {
    const config = configOf(V1ALPHA3);
    expect(configuredOptions(config, { env: {}, cacheDirExists: true })).toMatchObject({ trivyCacheDir: '/var/lib/trivy' });
    expect(configuredOptions(config, elsewhere)).not.toHaveProperty('trivyCacheDir');
    expect(configuredOptions(config, { env: { TRIVY_CACHE_DIR: '/a' }, cacheDirExists: true })).not.toHaveProperty('trivyCacheDir');
  });
});
