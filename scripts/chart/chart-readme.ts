import { formatDefault, formatType } from '../reference/format-field.ts';
import type { FieldSchema } from '../reference/field-rows.ts';
import { markdownTable } from '../reference/field-table.ts';
import { chartFields } from './chart-schema.ts';

/** The chart's page, in Markdown. */
export function chartReadme(): string {
  return `# Helm chart of Image Cleaner

Finds the images on the nodes of a cluster that nothing uses, scans them, and removes those that have to go. It is tested with Helm 3.19.

    kubectl create namespace eraser-system
    kubectl label namespace eraser-system pod-security.kubernetes.io/enforce=privileged
    helm install image-cleaner deploy/chart/image-cleaner -n eraser-system

Helm does not own the namespace: \`--create-namespace\` makes it too, but without a label. Worker pods mount the folder of the container runtime's
socket, so where the cluster enforces Pod Security Standards, the namespace needs the label above (and \`audit\` and \`warn\` of the same, for quiet).
A cluster has one installation: definitions, cluster role and priority class have fixed names.

## In the place of Eraser

A values file for Eraser's chart can be used as it is, and a release of that chart is upgraded in place:

    helm upgrade RELEASE deploy/chart/image-cleaner -n eraser-system -f your-values.yaml

- The definitions are templates of this chart, as they are of Eraser's, and are marked to be kept: every ImageList stays.
- The Deployment selects its pods by the labels that Eraser's chart gave them, since a selector cannot be changed. If \`nameOverride\` was given, give it again.
- Eraser's image (\`…/eraser-manager\`) is not run, whatever tag is given: ours is. So it is with collector, remover and Eraser's scanner in
  \`runtimeConfig\`; a scanner of your own runs as before.
- A memory limit of the manager that is too low for it is replaced (see \`deploy.resources\`).
- A mirror of the vulnerability database that \`dbRepo\` in the scanner's configuration names is where Trivy's server downloads from.
- A ConfigMap \`eraser-system-exclusion\` that is there already stays as it is.
- With \`--reuse-values\`, the values of Eraser's release are used, and the defaults below for all that it lacks.

## What outlasts the release

\`helm uninstall\` leaves the definitions with every ImageList and ImageJob, the ConfigMap \`eraser-system-exclusion\`, the exclusions that you made, the claim of
the history, and what the manager made itself: its state, its certificates and its Lease. To have all of it gone:

    kubectl delete crd imagelists.eraser.sh imagejobs.eraser.sh
    kubectl delete namespace eraser-system

## A history in PostgreSQL

With a Secret of the namespace that has the password, and the CA of the server where its certificate is of an authority of your own:

    kubectl create secret generic history-password -n eraser-system --from-file=password=./password
    helm upgrade --install image-cleaner deploy/chart/image-cleaner -n eraser-system \\
      --set history.postgres.url=postgres://image_cleaner@db.example/image_cleaner \\
      --set history.postgres.passwordSecret.name=history-password

What the database has to be is in [docs/controller.md](../../../docs/controller.md#a-history-in-postgresql).

## Without the internet

\`imageRegistry\` says where our images are, \`trivy.databaseRepository\` where a copy of Trivy's database is, \`pullSecrets\` with which secrets the images are
pulled. For a node without any registry, import the images into it, and say \`deploy.image.pullPolicy: Never\`.

## Values

A value that is not in this table is refused. \`runtimeConfig\` is described in
[docs/reference/eraserconfig.md](../../../docs/reference/eraserconfig.md).

${markdownTable(['value', 'type', 'default', 'meaning'], rowsOf(chartFields(), ''))}
`;
}

function rowsOf(group: FieldSchema, below: string): string[][] {
  return Object.entries(group.properties ?? {}).flatMap(([key, field]) => {
    const path = `${below}${key}`;
    if (!('byDefault' in field)) return rowsOf(field, `${path}.`);
    return [[`\`${path}\``, formatType(field), formatDefault(field), field.description ?? '']];
  });
}
