{{- define "name" -}}{{ default .Chart.Name .Values.nameOverride }}{{- end -}}
{{- define "labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/name: {{ include "name" . }}
helm.sh/chart: {{ include "name" . }}
{{- end -}}
