/** The Kubernetes objects by which worker pods find the coordinator and trust it, in the manager's namespace. */
export const COORDINATOR = {
  /** Has no selector: the manager that leads writes where it is into an EndpointSlice. */
  service: 'eraser-coordinator',
  port: 8443,
  /** Of the Service's port, by which the slice's is found. */
  portName: 'https',
  /** Of the tokens that are mounted into worker pods. */
  audience: 'eraser-coordinator',
  /** The configmap of the certificates that worker pods trust. */
  caConfigMap: 'eraser-coordinator-ca',
  /** The Secret of the authorities that sign the coordinator's certificate. */
  secret: 'eraser-coordinator-authorities',
} as const;
