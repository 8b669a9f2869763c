import type { ScannerInfo } from '../api/scan-report.ts';

/** Where Trivy finds the images: `address` is the path of the socket, also as `unix://…`. It cannot read the store of any runtime but containerd. */
export type ImageSource =
  { readonly kind: 'containerd'; readonly address: string } | { readonly kind: 'other'; readonly runtimeName: string };

/** Whose vulnerability database judges. */
export type DatabaseSource =
  /** The database in the cache folder, as it is; nothing is downloaded. */
  | { readonly kind: 'as-is' }
  /** Trivy brings the database up to date where it is due; repositories are tried in order, Trivy's own if none are given. */
  | { readonly kind: 'download'; readonly repositories?: readonly string[]; readonly javaRepositories?: readonly string[] }
  | TrivyServerSource
  | ElsewhereSource;

/** A Trivy server of the user's: its database judges, and none is needed here. */
export interface TrivyServerSource {
  readonly kind: 'server';
  /** `http://…` or `https://…`, with the path below which the server answers, if any; without a user and a password. */
  readonly url: string;
  /** What tells it from other servers in reports; its URL if not given. */
  readonly name?: string;
  /** Never shown, logged or put on a command line. */
  readonly token?: string;
  /** The header that carries the token; `Trivy-Token`, Trivy's default, if not given. */
  readonly tokenHeader?: string;
  /** Certificates of the authorities that may have signed the server's, as PEM text; those of the machine and of Node if not given. */
  readonly ca?: string;
  /** Loads the index of Java archives, which Trivy looks up while it reads an image, into the cache folder here; the index as it is if not given. */
  readonly javaIndex?: { readonly kind: 'download'; readonly javaRepositories?: readonly string[] };
}

/** Nobody judges here: images are only read (`createTrivyReader`). */
export interface ElsewhereSource {
  readonly kind: 'elsewhere';
  /** As of a server. */
  readonly javaIndex?: { readonly kind: 'download'; readonly javaRepositories?: readonly string[] };
}

/** Remembers which version a binary is, so that it need not be started to tell. `identity`: its path, inode, size and time of change. */
export interface VersionMemory {
  read(identity: string): Promise<string | null>;
  write(identity: string, version: string): Promise<void>;
}

export interface TrivyOptions {
  /** A name to look up in PATH, or a path. */
  readonly binary: string;
  readonly images: ImageSource;
  readonly database: DatabaseSource;
  /** Holds `db/trivy.db` and `db/metadata.json`, and `java-db/`. */
  readonly cacheDir: string;
  /** Each Trivy process unpacks images into a folder of its own in here. */
  readonly tmpDir: string;
  /** Bytes of memory that each Trivy process, of a scan or our own server, tries to keep to; null: no limit. */
  readonly memoryLimitBytes: number | null;
  /** What the processes' environment is made from: PATH, proxies, certificates, registry credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch: whether the database is due for an update. */
  readonly now: () => number;
  readonly versionMemory?: VersionMemory;
  /** A part of an earlier analysis by this scanner: layers that are known are not read again. null: unknown. */
  readonly readPart?: (key: string, scanner: ScannerInfo) => Promise<Uint8Array | null>;
  /** How long a process may take to end after SIGTERM before SIGKILL, in ms; 5 s if not given. */
  readonly graceMs?: number;
  /** How long `trivy version` and a self-test may each take, in ms, and the start of the server half as long; 60 s if not given. */
  readonly probeTimeoutMs?: number;
  /** How long a server may take for one answer, in ms; 60 s if not given. */
  readonly rpcTimeoutMs?: number;
  /** How long a download of a database may take, in ms; 15 min if not given. */
  readonly downloadTimeoutMs?: number;
  /** The largest report or answer that is read, in bytes; 256 MiB if not given. A longer text does not fit into a string of V8. */
  readonly maxReportBytes?: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_GRACE_MS = 5_000;
export const DEFAULT_PROBE_TIMEOUT_MS = 60_000;
export const DEFAULT_RPC_TIMEOUT_MS = 60_000;
/** The database is about 80 MB to load and 900 MB unpacked, the Java index about 700 MB. */
export const DEFAULT_DOWNLOAD_TIMEOUT_MS = 15 * 60_000;
export const DEFAULT_MAX_REPORT_BYTES = 256 * MiB;
