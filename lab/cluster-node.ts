import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ApiServer } from './api-server.ts';
import { issueCertificate } from './certificates.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { connectNode, nodeAddress, routeNowhere } from './cluster-network.ts';
import type { ClusterTools } from './cluster-tools.ts';
import type { ContainerdFacts, ContainerdHandle } from './containerd-handle.ts';
import { connectContainerd } from './containerd-handle.ts';
import { formatContainerdConfig } from './containerd-config.ts';
import { makeControlGroup } from './control-groups.ts';
import { importImages } from './images.ts';
import { formatKubeProxyConfig, formatKubeletConfig, formatPodNetwork } from './kubelet-config.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import type { LabProcess, ProcessSpec } from './lab-process.ts';
import { startProcess, untilReady } from './lab-process.ts';
import { NODE_INIT } from './node-init.ts';
import type { Place } from './place.ts';
import { chooseSnapshotter } from './place.ts';
import { pauseImage } from './sample-images.ts';

/** A machine of a cluster, in namespaces of its own. */
export interface ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly containerd: ContainerdHandle;
  /** Kills the kubelet alone; containers go on. */
  killKubelet(): Promise<void>;
  startKubelet(): Promise<void>;
  /** Stops it in its tracks until `thawKubelet`: it reports and does nothing. */
  freezeKubelet(): void;
  thawKubelet(): void;
  /** Kills the container runtime alone; containers go on. */
  killContainerd(): Promise<void>;
  /** Starts a killed one, and waits until it answers. */
  startContainerd(): Promise<void>;
  /** From now on, what the node and its pods send to that address is lost on the way, without a word; until what it gives is called. */
  loseAllTo(address: string): Promise<() => Promise<void>>;
  /** Kills all that runs on the node at once, as a power cut would. */
  kill(): Promise<void>;
  /** Starts a killed node on what it had on its disk. */
  start(): Promise<void>;
}

export interface NodeSpec {
  readonly place: Place;
  readonly network: ClusterNetwork;
  readonly tools: ClusterTools;
  readonly index: number;
  /** Of the cluster's nodes. */
  readonly count: number;
}

const RUNTIME = {
  root: '/var/lib/containerd',
  state: '/run/containerd',
  socket: '/run/containerd/containerd.sock',
  opt: '/var/lib/containerd/opt',
  runcState: '/run/containerd/runc',
  cniConfig: '/etc/cni/net.d',
};

/** A node whose namespaces, network and container runtime are there; it joins a cluster by `join`. */
export class LabNode implements ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly containerdFacts: ContainerdFacts;
  readonly containerd: ContainerdHandle;
  readonly #spec: NodeSpec;
  /** What survives a restart of the node, and what does not. */
  readonly #root: string;
  readonly #state: string;
  #init: LabProcess | null = null;
  #kubelet: LabProcess | null = null;
  #containerd: LabProcess | null = null;
  #isJoined = false;

  constructor(spec: NodeSpec) {
    this.name = `n${String(spec.index)}`;
    this.address = nodeAddress(spec.network, spec.index);
    this.#spec = spec;
    this.#root = join(spec.place.root, this.name);
    this.#state = join(spec.place.state, this.name);
    const { release, ctr } = spec.tools.containerd;
    this.containerdFacts = { release, ctr, socket: join(this.#state, 'containerd/containerd.sock'), directory: this.#root };
    this.containerd = connectContainerd(this.containerdFacts);
  }

  /** Makes the node's files and starts it without its kubelet. */
  async prepare(): Promise<void> {
    const { place, network, tools, index } = this.#spec;
    makeControlGroup(this.#controlGroup);
    for (const folder of ['containerd', 'kubelet', 'cni', 'cni-config', 'pods']) await mkdir(join(this.#root, folder), { recursive: true });
    await writeFile(join(this.#root, 'cni-config/10-bridge.conflist'), formatPodNetwork(network, index));
    await writeFile(join(this.#root, 'resolv.conf'), `nameserver ${network.host}\n`);
    const paths = { ...RUNTIME, cniBin: tools.network.cni };
    const snapshotter = chooseSnapshotter(place);
    await writeFile(
      this.#containerdConfig,
      formatContainerdConfig(paths, { major: Number(tools.containerd.release.split('.')[0]), runc: tools.containerd.runc, snapshotter }),
    );
    await this.#boot();
    await importImages(this.containerd, [await pauseImage()]);
  }

  /** Starts the kubelet and kube-proxy of a prepared node. */
  async join(server: ApiServer): Promise<void> {
    const { authority, url } = server;
    const [user, proxy] = await Promise.all([
      issueCertificate(authority, {
        name: this.name,
        subject: `/O=system:nodes/CN=system:node:${this.name}`,
        alternativeNames: [`IP:${this.address}`, `DNS:${this.name}`],
      }),
      issueCertificate(authority, { name: `${this.name}-proxy`, subject: '/CN=system:kube-proxy' }),
    ]);
    await writeKubeconfig(this.#kubeconfig, { url, authority, user });
    await writeKubeconfig(this.#proxyKubeconfig, { url, authority, user: proxy });
    await writeFile(
      join(this.#root, 'kubelet.json'),
      formatKubeletConfig({
        authority,
        serving: user,
        controlGroup: this.#controlGroup,
        directory: this.#root,
        network: this.#spec.network,
      }),
    );
    await writeFile(join(this.#root, 'kube-proxy.json'), formatKubeProxyConfig(this.name, this.#proxyKubeconfig, this.#spec.network));
    this.#isJoined = true;
    await this.startKubelet();
    await this.#startKubeProxy();
  }

  async killKubelet(): Promise<void> {
    await this.#kubelet?.kill();
  }

  async startKubelet(): Promise<void> {
    if (this.#kubelet?.isRunning === true) return;
    this.#kubelet = await this.#startInside('kubelet', this.#spec.tools.kubernetes.kubelet, [
      `--config=${join(this.#root, 'kubelet.json')}`,
      `--kubeconfig=${this.#kubeconfig}`,
      `--hostname-override=${this.name}`,
      `--node-ip=${this.address}`,
    ]);
  }

  freezeKubelet(): void {
    this.#kubelet?.signal('SIGSTOP');
  }

  thawKubelet(): void {
    this.#kubelet?.signal('SIGCONT');
  }

  async killContainerd(): Promise<void> {
    await this.#containerd?.kill();
  }

  async startContainerd(): Promise<void> {
    if (this.#containerd?.isRunning === true) return;
    const { containerd } = this.#spec.tools.containerd;
    const started = await this.#startInside('containerd', containerd, ['--config', this.#containerdConfig]);
    this.#containerd = started;
    await untilReady(started, async () => {
      await this.containerd.cri.images.listImages({}, { timeoutMs: 2_000 });
      return true;
    });
  }

  async loseAllTo(address: string): Promise<() => Promise<void>> {
    const { pid } = this.#runningInit();
    await routeNowhere({ pid, address }, 'add');
    return () => routeNowhere({ pid, address }, 'delete');
  }

  async kill(): Promise<void> {
    // With process 1 the kernel kills the others, which are gone before it is.
    await Promise.all([this.#init?.kill(), this.killKubelet(), this.killContainerd()]);
    this.containerd.cri.close();
  }

  async start(): Promise<void> {
    if (this.#init?.isRunning === true) return;
    await this.#boot();
    if (!this.#isJoined) return;
    await this.startKubelet();
    await this.#startKubeProxy();
  }

  /** Namespaces, network and container runtime. */
  async #boot(): Promise<void> {
    const { network, index, count } = this.#spec;
    await rm(this.#state, { recursive: true, force: true });
    await mkdir(join(this.#state, 'containerd'), { recursive: true });
    const init = await startProcess({
      ...this.#process('init'),
      wrapper: ['unshare', '--mount', '--propagation=private', '--net', '--pid', '--mount-proc', '--fork', '--kill-child', '--'],
      command: 'sh',
      args: [NODE_INIT, this.#root, this.#state],
    });
    this.#init = init;
    await untilReady(init, () => Promise.resolve(existsSync(join(this.#state, 'ready'))));
    await connectNode(network, index, { pid: init.pid, count });
    await this.startContainerd();
  }

  #runningInit(): LabProcess {
    if (this.#init?.isRunning !== true) throw new Error(`${this.name} does not run`);
    return this.#init;
  }

  async #startKubeProxy(): Promise<void> {
    await this.#startInside('kube-proxy', this.#spec.tools.kubernetes.kubeProxy, [`--config=${join(this.#root, 'kube-proxy.json')}`]);
  }

  async #startInside(program: string, command: string, args: readonly string[]): Promise<LabProcess> {
    const { pid } = this.#runningInit();
    const { containerd, network } = this.#spec.tools;
    const wrapper = ['nsenter', `--target=${String(pid)}`, '--mount', '--net', '--pid', '--'];
    const path = [containerd.directory, dirname(containerd.runc), network.nft, process.env['PATH'] ?? ''].join(':');
    const env = { ...process.env, PATH: path, LD_LIBRARY_PATH: network.libraries };
    return await startProcess({ ...this.#process(program), wrapper, command, args, env });
  }

  #process(program: string): Pick<ProcessSpec, 'name' | 'logFile'> {
    return { name: `${program} of ${this.name}`, logFile: join(this.#spec.place.root, `log/${this.name}-${program}.log`) };
  }

  get #controlGroup(): string {
    return `${this.#spec.place.name}/${this.name}`;
  }

  get #containerdConfig(): string {
    return join(this.#root, 'containerd.toml');
  }

  get #kubeconfig(): string {
    return join(this.#spec.place.root, 'kubeconfig', this.name);
  }

  get #proxyKubeconfig(): string {
    return `${this.#kubeconfig}-proxy`;
  }
}
