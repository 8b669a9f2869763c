/** The Deployment's name, and Eraser's. */
export const MANAGER = 'eraser-controller-manager';
/** Of what Eraser has no label for, and of its manager. */
export const LABELS = { 'app.kubernetes.io/name': 'image-cleaner', 'control-plane': 'controller-manager' };
export const HEALTH_PORT = 8081;
