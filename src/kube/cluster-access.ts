/** What a TLS connection to the API server is made with; PEM. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** All that a request needs but its path. */
export interface ClusterAccess {
  /** With its path, if it has one, and no slash at the end. */
  readonly server: string;
  readonly tls: TlsSettings;
  /** Only http(s). */
  readonly proxyUrl?: string;
  /** Credentials, impersonation. Secret. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Where requests go, and with which credentials at this moment: tokens and certificates rotate. */
export interface AccessSource {
  readonly server: string;
  /** The namespace that commands mean when none is given. */
  readonly namespace: string;
  /** Throws a KubeError when there are no credentials to be had. */
  current(): Promise<ClusterAccess>;
  /** The API server refused these credentials: the next `current` reads them anew, unless that has happened already. */
  renew(refused: ClusterAccess): void;
}
