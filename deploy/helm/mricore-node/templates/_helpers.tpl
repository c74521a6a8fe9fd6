{{- define "mricore.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}
{{- define "mricore.labels" -}}
app.kubernetes.io/name: mricore-node
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "mricore.token" -}}{{ .Values.triton.tokenSecret | default (printf "%s-triton" (include "mricore.name" .)) }}{{- end }}
{{- define "mricore.pod" -}}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "mricore.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
{{- define "mricore.image" -}}{{ .image.repository }}:{{ .image.tag | default .version }}{{- end }}
