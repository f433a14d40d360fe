{{/* Other names begin with it, of which labels and Services take 63 letters, and no
     dots. */}}
{{- define "headlint.name" -}}
{{- $release := .Release.Name -}}
{{- $own := contains "headlint" $release | ternary $release (printf "%s-headlint" $release) -}}
{{- .Values.fullnameOverride | default $own | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "headlint.certificate" -}}
{{- if eq .Values.certificates.source "secret" -}}
{{- required "certificates.secret.name: the name of your Secret" .Values.certificates.secret.name -}}
{{- else -}}
{{- /* One that cert-manager made stays, and is nothing that Helm may take over. */ -}}
{{- $maker := eq .Values.certificates.source "cert-manager" | ternary "cert-manager" "certificate" -}}
{{- printf "%s-%s" (include "headlint.name" .) $maker -}}
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

{{/* How the API server asks, and where. The caBundle is written by whoever makes
     the certificate, and no upgrade takes it away: what a chart never said, Helm
     leaves alone. */}}
{{- define "headlint.asked" -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values: {{- append .Values.webhook.excludedNamespaces .Release.Namespace | uniq | toYaml | nindent 8 }}
    - {key: headlint.dev/webhook, operator: NotIn, values: [ignore]}
    {{- with .Values.config.namespaces }}
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{- uniq . | toYaml | nindent 8 }}
    {{- end }}
clientConfig:
  service: {namespace: {{ .Release.Namespace }}, name: {{ include "headlint.name" . }}, path: /validate}
  {{- if eq .Values.certificates.source "secret" }}
  {{- with .Values.certificates.secret.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
  {{- end }}
timeoutSeconds: {{ .Values.webhook.timeoutSeconds }}
admissionReviewVersions: [v1]
sideEffects: None
{{- end }}

{{/* Where `helm test` asks. */}}
{{- define "headlint.testNamespace" -}}
{{- .Values.test.namespace | default (first (append (.Values.config.namespaces | default list) "default")) -}}
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

{{/* Of what Helm makes for a moment: no Service selects it. */}}
{{- define "headlint.hookLabels" -}}
app.kubernetes.io/name: headlint-hook
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* When, and in which order; it never stays. */}}
{{- define "headlint.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end }}

{{/* Runs `args` of the webhook's program once, as the account of this name. */}}
{{- define "headlint.hookPod" -}}
restartPolicy: Never
serviceAccountName: {{ include "headlint.name" .root }}-{{ .account }}
automountServiceAccountToken: true # it asks the API server
enableServiceLinks: false
securityContext: {{- include "headlint.podSecurityContext" .root | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
containers:
  - name: {{ .account }}
    image: {{ include "headlint.image" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    resources: {{- toYaml .root.Values.resources | nindent 6 }}
    securityContext: {{- include "headlint.securityContext" .root | nindent 6 }}
{{- end }}
