import { type Command, InvalidArgumentError } from 'commander';
import { outputOption } from '../options.ts';
import type { OutputFormat } from '../output/write-document.ts';

/** Of every command for a cluster. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface ClusterOutputOptions extends ClusterOptions {
  readonly output: OutputFormat;
}

/** As kubectl has them. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the cluster (default: KUBECONFIG, else ~/.kube/config)')
    .option('--context <name>', 'the context of the kubeconfig (default: its current one)')
    .option(
      '-n, --namespace <namespace>',
      'where Image Cleaner is, or is to be (default: the one that it is installed in, else eraser-system)',
      namespaceName,
    );
}

export function addClusterOutputOptions(command: Command): Command {
  return addClusterOptions(command).addOption(outputOption());
}

function namespaceName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Allowed are up to 63 of a-z, 0-9 and -, which is neither first nor last.');
}
