{{- /* By what the objects of an install are known: bgpctl/install/labels.py */ -}}
{{- define "bgpctl.labels" -}}
app.kubernetes.io/managed-by: bgpctl-install
bgpctl.io/install: {{ .Release.Namespace }}
{{- end }}

{{- define "bgpctl.meta" -}}
labels:
  app.kubernetes.io/name: bgpctl
  {{- include "bgpctl.labels" . | nindent 2 }}
{{- end }}

{{- define "bgpctl.image" -}}
image: {{ .Values.image | quote }}
imagePullPolicy: {{ .Values.imagePullPolicy }}
{{- end }}

{{- define "bgpctl.resources" -}}
requests:
  cpu: {{ .Values.cpuRequest | quote }}
  memory: {{ .Values.memoryRequest | quote }}
limits:
  memory: {{ .Values.memoryLimit | quote }}
{{- end }}

{{- define "bgpctl.mounts" -}}
- name: place
  mountPath: {{ .Values.directory | quote }}
- name: tmp
  mountPath: /tmp
{{- end }}

{{- /* A dict with `root` and `add`, a list of capabilities. */ -}}
{{- define "bgpctl.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- with .add }}
  add: {{ toJson . }}
  {{- end }}
{{- end }}

{{- /* What both pods have: bgpctl/install/speaker.py, _pod */ -}}
{{- define "bgpctl.pod" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
priorityClassName: system-node-critical
tolerations:
  - operator: Exists
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- range . }}
  {{- $pair := splitn "=" 2 . }}
  {{ $pair._0 | quote }}: {{ $pair._1 | quote }}
  {{- end }}
{{- end }}
terminationGracePeriodSeconds: 30
securityContext:
  {{- if .Values.runAsRoot }}
  runAsUser: 0
  runAsGroup: 0
  {{- else }}
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- if not .Values.runAsRoot }}
initContainers:
  - name: prepare
    {{- include "bgpctl.image" . | nindent 4 }}
    command: [bgpctl]
    args: [speaker, engine, prepare, --directory, "{{ .Values.directory }}/speaker", --user, "65532"]
    securityContext:
      {{- include "bgpctl.confined" (dict "add" (list "CHOWN")) | nindent 6 }}
      runAsNonRoot: false
      runAsUser: 0
      runAsGroup: 0
    resources:
      {{- include "bgpctl.resources" . | nindent 6 }}
    volumeMounts:
      {{- include "bgpctl.mounts" . | nindent 6 }}
{{- end }}
volumes:
  - name: place
    hostPath:
      path: {{ .Values.directory | quote }}
      type: DirectoryOrCreate
  - name: tmp
    emptyDir:
      sizeLimit: 16Mi
{{- end }}

{{- /* What may bind a port below 1024: the one that has ExaBGP. */ -}}
{{- define "bgpctl.ports" -}}
{{- include "bgpctl.confined" (dict "add" (ternary (list "NET_BIND_SERVICE") (list) .Values.runAsRoot)) }}
{{- end }}
