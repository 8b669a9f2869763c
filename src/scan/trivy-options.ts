/** Where Trivy finds the images: `address` is the path of the socket, also as `unix://…`. It cannot read the store of any runtime but containerd. */
export type ImageSource =
  { readonly kind: 'containerd'; readonly address: string } | { readonly kind: 'other'; readonly runtimeName: string };

export type DatabaseSource =
  /** The database in the cache folder, as it is; nothing is downloaded. */
  | { readonly kind: 'as-is' }
  /** Trivy brings the database up to date before the first scan; repositories are tried in order, Trivy's own if none are given. */
  | { readonly kind: 'download'; readonly repositories?: readonly string[]; readonly javaRepositories?: readonly string[] };

export interface TrivyOptions {
  /** A name to look up in PATH, or a path. */
  readonly binary: string;
  readonly images: ImageSource;
  readonly database: DatabaseSource;
  /** Holds `db/trivy.db` and `db/metadata.json`. */
  readonly cacheDir: string;
  /** Each Trivy process unpacks images into a folder of its own in here. */
  readonly tmpDir: string;
  /** Bytes of memory that one Trivy process tries to keep to; null: no limit. */
  readonly memoryLimitBytes: number | null;
  /** What the processes' environment is made from: PATH, proxies, certificates, registry credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long a process may take to end after SIGTERM before SIGKILL, in ms; 5 s if not given. */
  readonly graceMs?: number;
  /** How long `trivy version` and the self-test may each take, in ms; 60 s if not given. */
  readonly probeTimeoutMs?: number;
  /** How long a download of a database may take, in ms; 15 min if not given. */
  readonly downloadTimeoutMs?: number;
  /** The largest report that is read, in bytes; 256 MiB if not given. A longer text does not fit into a string of V8. */
  readonly maxReportBytes?: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_GRACE_MS = 5_000;
export const DEFAULT_PROBE_TIMEOUT_MS = 60_000;
/** The database is about 80 MB to load and 900 MB unpacked, the Java index about 700 MB. */
export const DEFAULT_DOWNLOAD_TIMEOUT_MS = 15 * 60_000;
export const DEFAULT_MAX_REPORT_BYTES = 256 * MiB;
