import { type Command, Option } from 'commander';
import { collectFlags, durationOption } from '../option-values.ts';
import { addClusterOptions, type ClusterOptions } from './cluster-options.ts';

/** Of `enable` and of `update`. */
export interface EnableOptions extends ClusterOptions {
  readonly imageCleanerIntervalHours?: string;
  readonly config?: string;
  readonly image?: string;
  readonly scannerImage?: string;
  readonly trivyCacheHostPath?: string;
  readonly historyUrl?: string;
  readonly historyPasswordSecret?: string;
  readonly historyCaConfigMap?: string;
  readonly historyCaSecret?: string;
  readonly trivyArg?: readonly string[];
  readonly managerArg?: readonly string[];
  readonly dryRun: boolean;
  /** Milliseconds. */
  readonly waitTimeout: number;
  readonly yes: boolean;
}

export function addEnableOptions(command: Command): Command {
  return addClusterOptions(command)
    .option('--image-cleaner-interval-hours <hours>', 'from run to run, 24 to 2160 (default: the stored interval, else 168, a week)')
    .option('--config <file>', 'an EraserConfig, in the place of the stored one')
    .option('--image <image>', 'of the manager and of worker pods (default: the installed one, in the version of this program)')
    .option('--scanner-image <image>', 'of the scanner and of the Trivy server (default: as --image, with "-scanner" behind the name)')
    .option('--trivy-cache-host-path <folder>', "a folder of the nodes with a vulnerability database, for Trivy's server")
    .option(
      '--history-url <url>',
      'a PostgreSQL for the history: postgres://USER@HOST[:PORT]/DATABASE, without a password; none: a file in the pod',
    )
    .option('--history-password-secret <name[:key]>', 'the Secret of the namespace that has its password (key: password)')
    .option('--history-ca-config-map <name[:key]>', 'the configmap that has the CA of its certificate (key: ca.crt)')
    .option('--history-ca-secret <name[:key]>', 'the same in a Secret')
    .addOption(
      new Option('--trivy-arg <flag>', 'a further flag of the Trivy server, as --trivy-arg=--skip-db-update (repeatable)').argParser(
        collectFlags,
      ),
    )
    .addOption(
      new Option('--manager-arg <flag>', 'a further flag of the manager, as --manager-arg=--max-parallel=5 (repeatable)').argParser(
        collectFlags,
      ),
    )
    .option('--dry-run', 'show what would change, and change nothing', false)
    .addOption(durationOption('--wait-timeout <duration>', 'how long to wait until the manager is ready', '5m'))
    .option('-y, --yes', 'take over an Eraser that is installed, or go back to an older version, without asking', false);
}
