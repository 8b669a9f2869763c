import * as z from 'zod';
import { DEFAULT_RESOURCES } from '../../src/installation/make-manifest.ts';

/**
 * The values of the chart, each with its meaning and its default; `byDefault` is what the templates fill in, too. All that Eraser's chart has is
 * here under the same name. What is not here is refused, but for what is Kubernetes' own, and for `runtimeConfig`, which the manager reads.
 */
function value(schema: z.ZodType, byDefault: unknown, description: string): z.ZodType {
  return schema.optional().meta({ byDefault, description });
}

function group(shape: Readonly<Record<string, z.ZodType>>, description: string): z.ZodType {
  return z.strictObject(shape).optional().meta({ description });
}

const text = z.string();
const labels = z.record(z.string(), z.string());
/** Kubernetes says what is allowed. */
const kubernetesObject = z.looseObject({});
const image = (ours: string, description: string, more: Readonly<Record<string, z.ZodType>> = {}): z.ZodType =>
  group(
    {
      repo: value(text, '', `Where it is; empty: \`${ours}\`, below \`imageRegistry\` if that is given.`),
      ...more,
      tag: value(text, '', "Empty: the version of the chart's Image Cleaner."),
    },
    description,
  );
const keyOf = (key: string, description: string): z.ZodType =>
  group({ name: value(text, '', 'Empty: none.'), key: value(text.min(1), key, 'The key in it.') }, description);
const resources = z.looseObject({ requests: kubernetesObject.optional(), limits: kubernetesObject.optional() });

export const chartValuesSchema = z.strictObject({
  runtimeConfig: value(
    z.looseObject({}),
    {},
    'The configuration, an `EraserConfig`: what is given here of `eraser.sh/v1alpha3` is put over the defaults, which values.yaml shows; of an older version it is taken as it is.',
  ),
  deploy: group(
    {
      image: image(
        'image-cleaner',
        "The image of manager, collector and remover. Eraser's (`…/eraser-manager`) is not run: ours is, instead.",
        {
          pullPolicy: value(z.enum(['Always', 'IfNotPresent', 'Never']), 'IfNotPresent', "Of the images of the manager's pod."),
        },
      ),
      additionalArgs: value(z.array(text), [], 'Further flags of the manager.'),
      priorityClassName: value(text, '', "The priority class of the manager's pod."),
      additionalPodLabels: value(labels, {}, "Further labels of the manager's pod."),
      securityContext: value(kubernetesObject, {}, "Of the manager's container, put over what it is denied in any case."),
      resources: value(
        resources,
        DEFAULT_RESOURCES.manager,
        "Of the manager's container. A memory limit below 256Mi, such as Eraser's, is too low for it: then its memory is that of the default.",
      ),
      nodeSelector: value(labels, { 'kubernetes.io/os': 'linux' }, "Of the manager's pod."),
      tolerations: value(z.array(kubernetesObject), [], "Of the manager's pod."),
      affinity: value(kubernetesObject, {}, "Of the manager's pod."),
    },
    'The manager.',
  ),
  nameOverride: value(
    text,
    '',
    "The name in the labels that the Deployment selects its pods by; empty: `eraser`. Cannot be changed while it is installed: give what was given to Eraser's chart.",
  ),
  imageRegistry: value(
    text,
    '',
    'Put before the names of our images where no `repo` is given: a registry of your own, `registry.example/mirror`.',
  ),
  pullSecrets: value(
    z.array(text.min(1)),
    [],
    "The names of secrets of the namespace, for the manager's pod and for worker pods, beside those in `runtimeConfig.manager.pullSecrets`.",
  ),
  scanner: group({ image: image('image-cleaner-scanner', "The image of our scanner and of Trivy's server.") }, 'The scanner.'),
  trivy: group(
    {
      databaseRepository: value(
        text,
        '',
        'Where Trivy downloads its vulnerability database from; empty: what `dbRepo` in `runtimeConfig.components.scanner.config` says, else Trivy decides.',
      ),
      args: value(z.array(text), [], 'Further flags of `trivy server`.'),
      resources: value(resources, DEFAULT_RESOURCES.trivy, "Of the container of Trivy's server."),
      cache: group(
        {
          volume: value(
            kubernetesObject,
            {},
            'Where the database is kept, as a source of a pod volume; empty: an `emptyDir` of up to 4Gi.',
          ),
        },
        "Trivy's cache.",
      ),
    },
    "Trivy's server, in the manager's pod.",
  ),
  history: group(
    {
      volume: value(
        kubernetesObject,
        {},
        'Where the history is kept, as a source of a pod volume; empty: an `emptyDir`, which ends with the pod.',
      ),
      claim: group(
        {
          size: value(text, '', 'When given (`1Gi`), a claim of this size is made and used; it outlasts the release.'),
          storageClassName: value(text, '', "Empty: the cluster's default."),
          accessMode: value(z.enum(['ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany']), 'ReadWriteOnce', 'Of the volume.'),
        },
        'A claim for the history.',
      ),
      postgres: group(
        {
          url: value(
            text,
            '',
            'When given (`postgres://USER@HOST[:PORT]/DATABASE`, without a password), the history is in this PostgreSQL, and has no volume.',
          ),
          passwordSecret: keyOf('password', 'The Secret of the namespace that has the password.'),
          caConfigMap: keyOf(
            'ca.crt',
            "The ConfigMap of the namespace that has the CA of the server's certificate; without one, the system's hold.",
          ),
          caSecret: keyOf('ca.crt', 'The same in a Secret.'),
        },
        'A PostgreSQL for the history.',
      ),
    },
    'What was decided and done.',
  ),
  podDisruptionBudget: value(
    kubernetesObject,
    {},
    "When given (`{maxUnavailable: 1}`), a budget for the manager's one pod. `minAvailable: 1` keeps its node from being drained.",
  ),
  networkPolicy: group(
    { enabled: value(z.boolean(), false, 'Whether only worker pods reach the coordinator, and nobody the worker pods.') },
    'Network policies.',
  ),
  openshift: group(
    {
      enabled: value(
        z.boolean(),
        false,
        'Whether the service accounts may use the security context constraints of OpenShift that their pods need (`nonroot-v2`, `privileged`), and worker pods have the SELinux type `spc_t`. `nonroot-v2` allows the manager no folders of the node: give `trivy.cache.volume` and `history.volume` as claims there.',
      ),
    },
    'OpenShift.',
  ),
  global: value(kubernetesObject, {}, 'For charts that this one is a part of; not used here.'),
});
