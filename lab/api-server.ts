import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient } from './api-client.ts';
import { connectApi } from './api-client.ts';
import type { Authority, Certificate } from './certificates.ts';
import { issueCertificate, makeAuthority, makeTokenKeys } from './certificates.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import type { ControlPlaneTools } from './kubernetes.ts';
import type { LabProcess, ProcessSpec } from './lab-process.ts';
import { startProcess, untilReady } from './lab-process.ts';
import type { Place } from './place.ts';

/** Where the API server listens, and the network of Services that it gives addresses of. */
export interface ApiServerAddress {
  readonly host: string;
  readonly port: number;
  /** `10.160`: Services get addresses of 10.160.0.0/16. */
  readonly serviceNetwork: string;
}

/** A kube-apiserver on an etcd of its own. */
export interface ApiServer {
  readonly url: string;
  readonly authority: Authority;
  /** A member of system:masters, who may do everything. */
  readonly admin: Certificate;
  /** Of service account tokens. */
  readonly tokenKey: string;
  readonly kubeconfig: string;
  /** A file with a line of JSON (`audit.k8s.io/v1` Event) for each request of a service account, but for those of Kubernetes itself. */
  readonly auditLog: string;
  readonly client: ApiClient;
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** On the same port and data. Does nothing when it runs. */
  readonly start: () => Promise<void>;
  /** Ends the API server and etcd. */
  readonly end: () => Promise<void>;
}

/** Makes the certificates, starts etcd and kube-apiserver, and waits until it is ready. */
export async function startApiServer(tools: ControlPlaneTools, place: Place, address: ApiServerAddress): Promise<ApiServer> {
  const url = `https://${address.host}:${String(address.port)}`;
  const etcd = await startEtcd(tools.etcd, place);
  const authority = await makeAuthority(join(place.root, 'pki'));
  const [spec, admin] = await Promise.all([
    apiServerSpec(tools.kubeApiserver, { place, address, authority }),
    issueCertificate(authority, { name: 'admin', subject: '/O=system:masters/CN=admin' }),
  ]);
  const kubeconfig = await writeKubeconfig(join(place.root, 'kubeconfig/admin'), { url, authority, user: admin });
  const client = connectApi({ url, authority, user: admin });
  let running: LabProcess | null = null;
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await running?.kill(signal);
  };
  const start = async (): Promise<void> => {
    if (running?.isRunning === true) return;
    const started = await startProcess(spec);
    running = started;
    await untilReady(started, async () => (await client.get('/readyz')) === 'ok');
  };
  const end = async (): Promise<void> => {
    await stop();
    await etcd.kill();
    await client.close();
  };
  await start();
  const tokenKey = join(authority.directory, 'tokens.key');
  return { url, authority, admin, tokenKey, kubeconfig, auditLog: auditFiles(place).log, client, stop, start, end };
}

/** On a unix socket that only root can reach. What it holds need not outlive the machine. */
async function startEtcd(command: string, place: Place): Promise<LabProcess> {
  return await startProcess({
    name: 'etcd',
    logFile: join(place.root, 'log/etcd.log'),
    command,
    args: [
      `--data-dir=${join(place.root, 'etcd')}`,
      `--listen-client-urls=${etcdUrl(place)}`,
      // Told to other members, of which there are none; it may not be a socket's.
      '--advertise-client-urls=http://localhost:2379',
      '--listen-peer-urls=http://127.0.0.1:0',
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
  });
}

function etcdUrl(place: Place): string {
  return `unix://${join(place.state, 'etcd.sock')}`;
}

function auditFiles(place: Place): { readonly policy: string; readonly log: string } {
  return { policy: join(place.root, 'audit-policy.json'), log: join(place.root, 'log/audit.log') };
}

const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  // A watch has two lines else: when it begins, too.
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
    { level: 'None' },
  ],
};

interface SpecInput {
  readonly place: Place;
  readonly address: ApiServerAddress;
  readonly authority: Authority;
}

async function apiServerSpec(command: string, { place, address, authority }: SpecInput): Promise<ProcessSpec> {
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];
  const addresses = ['127.0.0.1', address.host, `${address.serviceNetwork}.0.1`];
  const alternativeNames = [...names.map((name) => `DNS:${name}`), ...[...new Set(addresses)].map((ip) => `IP:${ip}`)];
  const [server, kubelet, frontProxy, tokens] = await Promise.all([
    issueCertificate(authority, { name: 'kube-apiserver', subject: '/CN=kube-apiserver', alternativeNames }),
    issueCertificate(authority, { name: 'kubelet-client', subject: '/O=system:masters/CN=kubelet-client' }),
    issueCertificate(authority, { name: 'front-proxy', subject: '/CN=front-proxy-client' }),
    makeTokenKeys(authority.directory),
  ]);
  const audit = auditFiles(place);
  await writeFile(audit.policy, JSON.stringify(AUDIT_POLICY));
  return {
    name: 'kube-apiserver',
    logFile: join(place.root, 'log/kube-apiserver.log'),
    command,
    args: [
      `--etcd-servers=${etcdUrl(place)}`,
      `--bind-address=${address.host}`,
      `--advertise-address=${address.host}`,
      `--secure-port=${String(address.port)}`,
      `--service-cluster-ip-range=${address.serviceNetwork}.0.0/16`,
      `--tls-cert-file=${server.certificate}`,
      `--tls-private-key-file=${server.key}`,
      `--client-ca-file=${authority.certificate}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${tokens.publicKey}`,
      `--service-account-signing-key-file=${tokens.privateKey}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      `--audit-policy-file=${audit.policy}`,
      `--audit-log-path=${audit.log}`,
      '--audit-log-mode=blocking',
      `--kubelet-certificate-authority=${authority.certificate}`,
      `--kubelet-client-certificate=${kubelet.certificate}`,
      `--kubelet-client-key=${kubelet.key}`,
      '--kubelet-preferred-address-types=InternalIP',
      `--proxy-client-cert-file=${frontProxy.certificate}`,
      `--proxy-client-key-file=${frontProxy.key}`,
      `--requestheader-client-ca-file=${authority.certificate}`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    ],
  };
}
