import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PodSandboxConfigSchema } from '../src/cri/gen/cri_pb.js';
import { NamespaceMode } from '../src/cri/gen/cri_pb.js';
import type { PrivateContainerd } from './containerd.ts';
import { PAUSE_REFERENCE } from './containerd-config.ts';
import { importImages, listImages } from './images.ts';
import { RUN_UNTIL_STOPPED, pauseImage } from './sample-images.ts';

export interface SandboxOptions {
  /** The pod's name; one is made up unless given. */
  readonly name?: string;
  readonly namespace?: string;
}

export interface Sandbox {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly config: MessageInitShape<typeof PodSandboxConfigSchema>;
}

export interface ContainerOptions {
  /** As the kubelet passes it: an id or any name of the image. */
  readonly image: string;
  /** What the pod's spec said, when it isn't that. */
  readonly userSpecifiedImage?: string;
  readonly name?: string;
  /** Takes the place of the image's entrypoint. */
  readonly command?: readonly string[];
  /** Images to mount, by the path in the container. */
  readonly imageVolumes?: Readonly<Record<string, string>>;
}

/** A pod sandbox on the machine's own network. Imports the pause image when the runtime doesn't have it. */
export async function runSandbox(containerd: PrivateContainerd, options: SandboxOptions = {}): Promise<Sandbox> {
  await ensurePauseImage(containerd);
  const uid = randomUUID();
  const name = options.name ?? `pod-${uid.slice(0, 8)}`;
  const namespace = options.namespace ?? 'default';
  const config = {
    metadata: { name, uid, namespace, attempt: 0 },
    labels: { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': namespace, 'io.kubernetes.pod.uid': uid },
    linux: {
      // Below the place's own control group, so that a sweep finds every process.
      cgroupParent: `/${containerd.place.name}`,
      securityContext: { namespaceOptions: { network: NamespaceMode.NODE } },
    },
  };
  const { podSandboxId } = await containerd.cri.runtime.runPodSandbox({ config });
  return { id: podSandboxId, name, namespace, config };
}

/** Creates a container without starting it; gives its id. */
export async function createContainer(containerd: PrivateContainerd, sandbox: Sandbox, options: ContainerOptions): Promise<string> {
  const name = options.name ?? 'app';
  const { containerId } = await containerd.cri.runtime.createContainer({
    podSandboxId: sandbox.id,
    sandboxConfig: sandbox.config,
    config: {
      metadata: { name, attempt: 0 },
      image: { image: options.image, userSpecifiedImage: options.userSpecifiedImage ?? '' },
      command: [...(options.command ?? [])],
      labels: { 'io.kubernetes.container.name': name, ...sandbox.config.labels },
      mounts: Object.entries(options.imageVolumes ?? {}).map(([containerPath, image]) => ({
        containerPath,
        image: { image },
        readonly: true,
      })),
      linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } },
    },
  });
  return containerId;
}

export async function startContainer(containerd: PrivateContainerd, containerId: string): Promise<void> {
  await containerd.cri.runtime.startContainer({ containerId });
}

/** Stops the container, by force after 2 s; it stays, as an exited one. */
export async function stopContainer(containerd: PrivateContainerd, containerId: string): Promise<void> {
  await containerd.cri.runtime.stopContainer({ containerId, timeout: 2n });
}

export async function removeContainer(containerd: PrivateContainerd, containerId: string): Promise<void> {
  await containerd.cri.runtime.removeContainer({ containerId });
}

/** Stops and removes the sandbox with all its containers. */
export async function removeSandbox(containerd: PrivateContainerd, sandbox: Sandbox): Promise<void> {
  await containerd.cri.runtime.stopPodSandbox({ podSandboxId: sandbox.id });
  await containerd.cri.runtime.removePodSandbox({ podSandboxId: sandbox.id });
}

export interface ContainerInPod {
  readonly sandbox: Sandbox;
  readonly containerId: string;
}

export type PodOptions = ContainerOptions & { readonly pod?: SandboxOptions };

/** A pod of one container that was created and not started. */
export async function createdContainer(containerd: PrivateContainerd, options: PodOptions): Promise<ContainerInPod> {
  const sandbox = await runSandbox(containerd, options.pod);
  return { sandbox, containerId: await createContainer(containerd, sandbox, options) };
}

/** A pod of one running container; it runs until stopped unless a command says otherwise, for which its image must hold busybox. */
export async function runningContainer(containerd: PrivateContainerd, options: PodOptions): Promise<ContainerInPod> {
  const container = await createdContainer(containerd, { command: RUN_UNTIL_STOPPED, ...options });
  await startContainer(containerd, container.containerId);
  return container;
}

/** A pod of one container that ran and exited. */
export async function stoppedContainer(containerd: PrivateContainerd, options: PodOptions): Promise<ContainerInPod> {
  const container = await runningContainer(containerd, options);
  await stopContainer(containerd, container.containerId);
  return container;
}

async function ensurePauseImage(containerd: PrivateContainerd): Promise<void> {
  const images = await listImages(containerd);
  if (images.some((image) => image.repoTags.includes(PAUSE_REFERENCE))) return;
  await importImages(containerd, [await pauseImage()]);
}
