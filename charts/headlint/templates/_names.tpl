{{- define "headlint.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "headlint" .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-headlint" .Release.Name -}}
{{- end -}}
{{- end }}

{{- define "headlint.certificate" -}}
{{- if eq .Values.certificates.source "secret" -}}
{{- required "certificates.secret.name: the name of your Secret" .Values.certificates.secret.name -}}
{{- else -}}
{{- printf "%s-certificate" (include "headlint.name" .) -}}
{{- end -}}
{{- end }}

{{- define "headlint.selectorLabels" -}}
app.kubernetes.io/name: headlint
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "headlint.labels" -}}
{{ include "headlint.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "headlint.image" -}}
{{- $repository := required "image.repository: no image is published yet; `make image` builds one to push" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* What all Pods of the chart may do, which is what *restricted* asks, and less. */}}
{{- define "headlint.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "headlint.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
