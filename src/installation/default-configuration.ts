/** The configuration that an installation comes with; its tags tell which version is installed. As text, since users edit it. */
export function defaultConfiguration(version: string): string {
  return `apiVersion: eraser.sh/v1alpha3
kind: EraserConfig
manager:
  runtime:
    name: containerd
    address: unix:///run/containerd/containerd.sock
  logLevel: info
  scheduling:
    repeatInterval: 24h
    beginImmediately: true
  imageJob:
    successRatio: 1.0
    cleanup:
      delayOnSuccess: 0s
      delayOnFailure: 24h
  pullSecrets: []
  priorityClassName: ""
  additionalPodLabels: {}
  nodeFilter:
    type: exclude
    selectors:
      - eraser.sh/cleanup.filter
      - kubernetes.io/os=windows
components:
  collector:
    enabled: true
    image:
      tag: ${version}
  scanner:
    enabled: true
    image:
      tag: ${version}
    config: |
      deleteFailedImages: true
      deleteEOLImages: true
      vulnerabilities:
        ignoreUnfixed: true
        types:
          - os
          - library
        securityChecks:
          - vuln
        severities:
          - CRITICAL
          - HIGH
          - MEDIUM
          - LOW
        ignoredStatuses: []
      timeout:
        total: 23h
        perImage: 1h
  remover:
    image:
      tag: ${version}
`;
}
