import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedDirectory } from './cache-directory.ts';
import type { OnProgress } from './debian-tools.ts';
import { onPath } from './debian-tools.ts';
import { LabError } from './lab-error.ts';
import { errorMessage } from '../src/platform/errors.ts';
import { runCommand } from './run-command.ts';

/** A tool that is built from the sources of a published Go module. */
export interface GoTool {
  readonly name: string;
  readonly module: string;
  /** `v0.74.0`. */
  readonly version: string;
  /** The oldest Go that builds it. */
  readonly go: string;
  /** The packages of the commands, by the name that the binary gets; `.` is `mainSource`. */
  readonly commands: Readonly<Record<string, string>>;
  /** A program of our own, for a module whose command is made of more than is wanted. */
  readonly mainSource?: string;
  /** The versions of modules whose `go.mod` names none that is published. */
  readonly replacements?: Readonly<Record<string, string>>;
  /** Package variables to set, such as those that say the version. */
  readonly variables: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly duration: string;
}

export const CONTAINERD_V2: GoTool = {
  name: 'containerd',
  module: 'github.com/containerd/containerd/v2',
  version: 'v2.2.3',
  go: '1.24.3',
  commands: {
    containerd: 'github.com/containerd/containerd/v2/cmd/containerd',
    'containerd-shim-runc-v2': 'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2',
    ctr: 'github.com/containerd/containerd/v2/cmd/ctr',
  },
  variables: { 'github.com/containerd/containerd/v2/version.Version': '2.2.3' },
  tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
  env: {},
  duration: 'about a minute',
};

export const TRIVY: GoTool = {
  name: 'trivy',
  module: 'github.com/aquasecurity/trivy',
  version: 'v0.74.0',
  go: '1.26.3',
  commands: { trivy: 'github.com/aquasecurity/trivy/cmd/trivy' },
  variables: { 'github.com/aquasecurity/trivy/pkg/version/app.ver': '0.74.0' },
  tags: [],
  env: { GOEXPERIMENT: 'jsonv2' },
  duration: '5 to 10 minutes and 3 GB of memory the first time',
};

export const HELM: GoTool = {
  name: 'helm',
  module: 'helm.sh/helm/v3',
  version: 'v3.19.5',
  go: '1.24.0',
  commands: { helm: 'helm.sh/helm/v3/cmd/helm' },
  // Without it, helm holds the cluster that it renders for by default to be far older than what it is built with.
  variables: {
    'helm.sh/helm/v3/internal/version.version': 'v3.19.5',
    'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': '1',
    'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': '34',
  },
  tags: [],
  env: {},
  duration: 'about three minutes',
};

/** Acts as the kubelets of nodes that are only on paper. */
export const KWOK: GoTool = {
  name: 'kwok',
  module: 'sigs.k8s.io/kwok',
  version: 'v0.8.0',
  go: '1.26.0',
  commands: { kwok: 'sigs.k8s.io/kwok/cmd/kwok' },
  variables: {},
  tags: [],
  env: {},
  duration: 'about two minutes',
};

/** The directory that holds the tool's binaries, built into the cache when they aren't there. Throws `tool-missing` with the reason. */
export async function ensureGoTool(tool: GoTool, onProgress: OnProgress): Promise<string> {
  return await cachedDirectory(`${tool.name}-${tool.version}`, async (making) => {
    const go = findGo(tool);
    onProgress(`Building ${tool.name} ${tool.version} from its Go module (${tool.duration}) ...`);
    const started = Date.now();
    try {
      await build(tool, { go, directory: making, onProgress });
    } catch (cause) {
      const message = `${tool.name} ${tool.version} can't be built: ${firstReason(errorMessage(cause))}.`;
      throw new LabError({ code: 'tool-missing', message, hint: `It takes Go ${tool.go} or newer and a Go module proxy in reach.`, cause });
    }
    onProgress(`Built ${tool.name} ${tool.version} in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
}

/** The directory of the tool's sources in Go's own cache, downloaded when they aren't there: for its licence. */
export async function ensureToolSource(tool: GoTool): Promise<string> {
  return await downloadSource(tool, { go: findGo(tool), cwd: tmpdir(), env: goEnvironment(tool) });
}

function findGo(tool: GoTool): string {
  const go = onPath('go') ?? (existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : null);
  if (go !== null) return go;
  const message = `${tool.name} ${tool.version} is built from source, and there is no Go on PATH.`;
  throw new LabError({ code: 'tool-missing', message, hint: `Install Go ${tool.go} or newer from https://go.dev/dl/.` });
}

function goEnvironment(tool: GoTool): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-buildvcs=false -mod=mod', ...tool.env };
}

/** Trivy is made of some 400 modules: a sign of life, not a list. */
const DOWNLOADS_PER_LINE = 50;

async function build(tool: GoTool, at: { go: string; directory: string; onProgress: OnProgress }): Promise<void> {
  const work = join(at.directory, 'work');
  await mkdir(work);
  const env = goEnvironment(tool);
  const source = await downloadSource(tool, { go: at.go, cwd: at.directory, env });
  await writeFile(join(work, 'go.mod'), goMod(tool));
  if (tool.mainSource !== undefined) await writeFile(join(work, 'main.go'), tool.mainSource);
  // The module's own sums, so that it is built from the very dependencies that it was released with; `go mod tidy` would choose.
  await copyFile(join(source, 'go.sum'), join(work, 'go.sum'));
  await chmod(join(work, 'go.sum'), 0o644);
  const variables = Object.entries(tool.variables).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ['-trimpath', '-ldflags', ['-s', '-w', ...variables].join(' ')];
  const tags = tool.tags.length === 0 ? [] : ['-tags', tool.tags.join(',')];
  let downloads = 0;
  const onLine = (line: string): void => {
    if (!line.startsWith('go: downloading')) return;
    downloads += 1;
    if (downloads % DOWNLOADS_PER_LINE === 0) at.onProgress(`  downloaded ${downloads} modules ...`);
  };
  for (const [binary, command] of Object.entries(tool.commands)) {
    await runCommand(at.go, ['build', ...flags, ...tags, '-o', join(at.directory, binary), command], { cwd: work, env, onLine });
  }
  await rm(work, { recursive: true });
}

function goMod(tool: GoTool): string {
  const replacements = Object.entries(tool.replacements ?? {}).map(([module, version]) => `replace ${module} => ${module} ${version}`);
  return [`module lab/${tool.name}`, `go ${tool.go}`, `require ${tool.module} ${tool.version}`, ...replacements, ''].join('\n');
}

/** The directory of the module's sources. Twice, since with `-json` Go tells what went wrong as JSON too. */
async function downloadSource(tool: GoTool, at: { go: string; cwd: string; env: NodeJS.ProcessEnv }): Promise<string> {
  const module = `${tool.module}@${tool.version}`;
  await runCommand(at.go, ['mod', 'download', module], at);
  const { Dir } = JSON.parse(await runCommand(at.go, ['mod', 'download', '-json', module], at)) as { Dir: string };
  return Dir;
}

/** Go says what it downloads before it says what went wrong. */
function firstReason(message: string): string {
  return message.split('\n').findLast((line) => line.trim() !== '' && !line.startsWith('go: downloading')) ?? message;
}
