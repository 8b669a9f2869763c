{{/* All values: what is given, and the defaults where it lacks them, as JSON. An upgrade with --reuse-values has no values of this chart. */}}
{{- define "image-cleaner.values" -}}
{{- $given := deepCopy .Values -}}
{{- include "image-cleaner.fillGroups" (list $given (include "image-cleaner.defaults" . | fromJson) "" (include "image-cleaner.groups" . | fromJsonArray)) -}}
{{- toJson $given -}}
{{- end -}}

{{/* Puts what is missing of a group of values, and of the groups in it, where it belongs. Takes (given, defaults, path, groups). */}}
{{- define "image-cleaner.fillGroups" -}}
{{- $given := index . 0 -}}
{{- $path := index . 2 -}}
{{- $groups := index . 3 -}}
{{- range $key, $default := index . 1 -}}
{{- $below := printf "%s%s" $path $key -}}
{{- if or (not (hasKey $given $key)) (kindIs "invalid" (get $given $key)) -}}
{{- $_ := set $given $key $default -}}
{{- else if has $below $groups -}}
{{- include "image-cleaner.fillGroups" (list (get $given $key) $default (printf "%s." $below) $groups) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Puts what is missing of a mapping, and of the mappings in it, where it belongs. A null stands for nothing: neither is written. */}}
{{- define "image-cleaner.fill" -}}
{{- $given := index . 0 -}}
{{- range $key, $default := index . 1 -}}
{{- if not (hasKey $given $key) -}}
{{- $_ := set $given $key $default -}}
{{- else if kindIs "invalid" (get $given $key) -}}
{{- $_ := unset $given $key -}}
{{- else if and (kindIs "map" $default) (kindIs "map" (get $given $key)) -}}
{{- include "image-cleaner.fill" (list (get $given $key) $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of every object of the release. */}}
{{- define "image-cleaner.labels" -}}
app.kubernetes.io/name: image-cleaner
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{/* By which the Deployment selects its pods. Eraser's chart has the same: a selector cannot be changed, so that an upgrade could not replace its Deployment. */}}
{{- define "image-cleaner.selector" -}}
{{- $name := default "eraser" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/name: {{ $name | quote }}
control-plane: controller-manager
helm.sh/chart: {{ $name | quote }}
{{- end -}}

{{/* Not empty where the manager's image is that of Eraser: its repository, under whatever registry, or its tag alone, which none of ours looks like. */}}
{{- define "image-cleaner.isErasersManager" -}}
{{- if or (eq (base .repo) "eraser-manager") (and (empty .repo) (regexMatch "^v[0-9]" .tag)) -}}true{{- end -}}
{{- end -}}

{{/* Not empty where the configuration names a scanner that is neither ours nor Eraser's, whose work ours does. */}}
{{- define "image-cleaner.hasCustomScanner" -}}
{{- $repo := ((.components).scanner).image | default dict | dig "repo" "" | default "" -}}
{{- if and $repo (ne (base $repo) "eraser-trivy-scanner") -}}true{{- end -}}
{{- end -}}

{{/* Takes (root, image, the name of ours, imageRegistry). */}}
{{- define "image-cleaner.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $ours := index . 2 -}}
{{- $registry := index . 3 | trimSuffix "/" -}}
{{- if $registry -}}{{- $ours = printf "%s/%s" $registry $ours -}}{{- end -}}
{{- printf "%s:%s" ($image.repo | default $ours) ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}

{{- define "image-cleaner.managerImage" -}}
{{- $values := include "image-cleaner.values" . | fromJson -}}
{{- $image := $values.deploy.image -}}
{{- if include "image-cleaner.isErasersManager" $image -}}{{- $image = dict -}}{{- end -}}
{{- include "image-cleaner.image" (list . $image "image-cleaner" $values.imageRegistry) -}}
{{- end -}}

{{- define "image-cleaner.managerTag" -}}
{{- $image := (include "image-cleaner.values" . | fromJson).deploy.image -}}
{{- if include "image-cleaner.isErasersManager" $image -}}{{- $image = dict -}}{{- end -}}
{{- $image.tag | default .Chart.AppVersion -}}
{{- end -}}

{{- define "image-cleaner.scannerImage" -}}
{{- $values := include "image-cleaner.values" . | fromJson -}}
{{- include "image-cleaner.image" (list . $values.scanner.image "image-cleaner-scanner" $values.imageRegistry) -}}
{{- end -}}

{{/*
The configuration, as YAML. Of the current version, our defaults are below it; an older one has other names for some of them. Whichever images
collector, remover and our scanner have in it, those of this release run: the tags say so, by which operators tell the version.
*/}}
{{- define "image-cleaner.configuration" -}}
{{- $values := include "image-cleaner.values" . | fromJson -}}
{{- $config := $values.runtimeConfig -}}
{{- $isCustom := include "image-cleaner.hasCustomScanner" $config -}}
{{- if eq "eraser.sh/v1alpha3" ($config.apiVersion | default "eraser.sh/v1alpha3") -}}
{{- $defaults := include "image-cleaner.defaultConfiguration" . | fromJson -}}
{{- if $isCustom -}}{{- $_ := set $defaults.components "scanner" (dict "enabled" true) -}}{{- end -}}
{{- include "image-cleaner.fill" (list $config $defaults) -}}
{{- end -}}
{{- range $name, $component := $config.components | default dict -}}
{{- $image := ($component).image | default dict -}}
{{- if and (hasKey $image "tag") (not (and (eq $name "scanner") $isCustom)) -}}
{{- $tag := include "image-cleaner.managerTag" $ -}}
{{- if eq $name "scanner" -}}{{- $tag = $values.scanner.image.tag | default $.Chart.AppVersion -}}{{- end -}}
{{- $_ := set $image "tag" $tag -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* As a JSON array: those of the chart's values, and those of the configuration. */}}
{{- define "image-cleaner.pullSecrets" -}}
{{- $values := include "image-cleaner.values" . | fromJson -}}
{{- concat $values.pullSecrets (($values.runtimeConfig.manager).pullSecrets | default list) | uniq | toJson -}}
{{- end -}}

{{/* Not empty where a quantity of memory is below a number of bytes. Takes (quantity, bytes). */}}
{{- define "image-cleaner.isBelow" -}}
{{- $quantity := index . 0 | toString -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "m" 0.001 -}}
{{- $number := regexFind "^[0-9.]+([eE][+]?[0-9]+)?" $quantity -}}
{{- $unit := trimPrefix $number $quantity -}}
{{- if and $number (hasKey $units $unit) (lt (mulf (float64 $number) (get $units $unit)) (index . 1 | float64)) -}}true{{- end -}}
{{- end -}}

{{/* The least that the manager can work with; Eraser's needed an eighth of it. */}}
{{- define "image-cleaner.leastMemory" -}}268435456{{- end -}}

{{/* Not empty where the manager's container has a memory limit that is too low for it. */}}
{{- define "image-cleaner.isMemoryRaised" -}}
{{- $limit := ((include "image-cleaner.values" . | fromJson).deploy.resources).limits | default dict | dig "memory" "" | default "" -}}
{{- if $limit -}}{{- include "image-cleaner.isBelow" (list $limit (include "image-cleaner.leastMemory" .)) -}}{{- end -}}
{{- end -}}

{{- define "image-cleaner.managerResources" -}}
{{- $resources := (include "image-cleaner.values" . | fromJson).deploy.resources -}}
{{- if include "image-cleaner.isMemoryRaised" . -}}
{{- $default := (include "image-cleaner.defaults" . | fromJson).deploy.resources -}}
{{- $_ := set $resources.limits "memory" $default.limits.memory -}}
{{- $_ := set $resources "requests" (set ($resources.requests | default dict) "memory" $default.requests.memory) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/* Fails on values of the history that do not go together. No message repeats a URL, which may have a password in it. */}}
{{- define "image-cleaner.checkHistory" -}}
{{- $values := include "image-cleaner.values" . | fromJson -}}
{{- $history := $values.history -}}
{{- $postgres := $history.postgres -}}
{{- $url := $postgres.url -}}
{{- range concat (list $url) $values.deploy.additionalArgs -}}
{{- if regexMatch "(?i)^(--?history=)?postgres(ql)?://[^@]*:[^@]*@" . -}}
{{- fail "the URL of the history has a password in it: that belongs in a Secret, history.postgres.passwordSecret.name" -}}
{{- end -}}
{{- end -}}
{{- if $url -}}
{{- if not (regexMatch "(?i)^postgres(ql)?://[^/@:?#]+@[^/@?#]+/[^/?#]+([?]ssl(mode|rootcert)=[^&#]*(&ssl(mode|rootcert)=[^&#]*)?)?$" $url) -}}
{{- fail "history.postgres.url is no postgres://USER@HOST[:PORT]/DATABASE, with sslmode and sslrootcert at most behind it" -}}
{{- end -}}
{{- if or $history.volume $history.claim.size -}}
{{- fail "history.postgres.url goes without history.volume and history.claim.size: with it the history is no file" -}}
{{- end -}}
{{- range $values.deploy.additionalArgs -}}
{{- if regexMatch "^--?history(-password-file)?(=|$)" . -}}
{{- fail "deploy.additionalArgs names a history beside history.postgres.url" -}}
{{- end -}}
{{- end -}}
{{- if and $postgres.caConfigMap.name $postgres.caSecret.name -}}
{{- fail "history.postgres.caConfigMap and history.postgres.caSecret each name a CA: leave one of them out" -}}
{{- end -}}
{{- if and (or $postgres.caConfigMap.name $postgres.caSecret.name) (regexMatch "[?&](sslmode=disable|sslrootcert=)" $url) -}}
{{- fail "history.postgres.url has an sslrootcert or sslmode=disable, and a CA is named beside it" -}}
{{- end -}}
{{- else if or $postgres.passwordSecret.name $postgres.caConfigMap.name $postgres.caSecret.name -}}
{{- fail "history.postgres names a password or a CA, and no url" -}}
{{- end -}}
{{- end -}}

{{/* Of the manager, as a JSON array. */}}
{{- define "image-cleaner.historyArgs" -}}
{{- $postgres := (include "image-cleaner.values" . | fromJson).history.postgres -}}
{{- $url := $postgres.url -}}
{{- if $url -}}
{{- if or $postgres.caConfigMap.name $postgres.caSecret.name -}}
{{- $url = printf "%s%ssslrootcert=/etc/image-cleaner/history/ca.crt" $url (ternary "&" "?" (contains "?" $url)) -}}
{{- end -}}
{{- $args := list (printf "--history=%s" $url) -}}
{{- if $postgres.passwordSecret.name -}}{{- $args = append $args "--history-password-file=/etc/image-cleaner/history/password" -}}{{- end -}}
{{- toJson $args -}}
{{- else -}}
{{- list "--history=/var/lib/image-cleaner/history.db" | toJson -}}
{{- end -}}
{{- end -}}

{{/* Where password and CA of a PostgreSQL are, as a JSON array of the sources of one volume. */}}
{{- define "image-cleaner.historySources" -}}
{{- $postgres := (include "image-cleaner.values" . | fromJson).history.postgres -}}
{{- $sources := list -}}
{{- with $postgres.passwordSecret -}}
{{- if .name -}}{{- $sources = append $sources (dict "secret" (dict "name" .name "items" (list (dict "key" .key "path" "password")))) -}}{{- end -}}
{{- end -}}
{{- with $postgres.caConfigMap -}}
{{- if .name -}}{{- $sources = append $sources (dict "configMap" (dict "name" .name "items" (list (dict "key" .key "path" "ca.crt")))) -}}{{- end -}}
{{- end -}}
{{- with $postgres.caSecret -}}
{{- if .name -}}{{- $sources = append $sources (dict "secret" (dict "name" .name "items" (list (dict "key" .key "path" "ca.crt")))) -}}{{- end -}}
{{- end -}}
{{- toJson $sources -}}
{{- end -}}

{{/* As a JSON array. Where the configuration names a mirror of the database, as Eraser's scanner read it, the server downloads from there. */}}
{{- define "image-cleaner.trivyArgs" -}}
{{- $values := include "image-cleaner.values" . | fromJson -}}
{{- $repository := $values.trivy.databaseRepository -}}
{{- if and (empty $repository) (not (include "image-cleaner.hasCustomScanner" $values.runtimeConfig)) -}}
{{- $configured := (((($values.runtimeConfig).components).scanner).config | default "" | fromYaml).dbRepo | default "" -}}
{{- if ne $configured "ghcr.io/aquasecurity/trivy-db" -}}{{- $repository = $configured -}}{{- end -}}
{{- end -}}
{{- $args := list -}}
{{- if $repository -}}{{- $args = append $args (printf "--db-repository=%s" $repository) -}}{{- end -}}
{{- concat $args $values.trivy.args | toJson -}}
{{- end -}}
