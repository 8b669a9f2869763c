import type { CriClient } from './cri-client.ts';
import { connectCri } from './cri-client.ts';
import { runCommand } from './run-command.ts';

/** A container runtime to work with, whoever runs it. */
export interface ContainerdHandle {
  /** What the binary calls itself: `1.6.20`, `2.2.3`. */
  readonly release: string;
  /** `unix:///run/…/containerd.sock`. */
  readonly endpoint: string;
  readonly socket: string;
  /** Where files for it may be put. */
  readonly directory: string;
  readonly cri: CriClient;
  /** Runs containerd's own client in the kubelet's namespace (`k8s.io`), gives its standard output. */
  ctr(args: readonly string[]): Promise<string>;
}

/** What it takes to get at a containerd: plain data, for another process. */
export interface ContainerdFacts {
  readonly release: string;
  readonly socket: string;
  readonly directory: string;
  /** The path of its client. */
  readonly ctr: string;
}

export function connectContainerd(facts: ContainerdFacts): ContainerdHandle {
  const { release, socket, directory } = facts;
  return {
    release,
    socket,
    directory,
    endpoint: `unix://${socket}`,
    cri: connectCri(socket),
    ctr: (args) => runCommand(facts.ctr, ['--address', socket, '--namespace', 'k8s.io', ...args]),
  };
}
