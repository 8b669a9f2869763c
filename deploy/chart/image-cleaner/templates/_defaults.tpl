{{/* Made by npm run generate. As JSON, for the templates: an upgrade with --reuse-values knows nothing of values.yaml. */}}
{{- define "image-cleaner.defaults" -}}
{
  "runtimeConfig": {},
  "deploy": {
    "image": {
      "repo": "",
      "pullPolicy": "IfNotPresent",
      "tag": ""
    },
    "additionalArgs": [],
    "priorityClassName": "",
    "additionalPodLabels": {},
    "securityContext": {},
    "resources": {
      "requests": {
        "cpu": "50m",
        "memory": "128Mi"
      },
      "limits": {
        "memory": "512Mi"
      }
    },
    "nodeSelector": {
      "kubernetes.io/os": "linux"
    },
    "tolerations": [],
    "affinity": {}
  },
  "nameOverride": "",
  "imageRegistry": "",
  "pullSecrets": [],
  "scanner": {
    "image": {
      "repo": "",
      "tag": ""
    }
  },
  "trivy": {
    "databaseRepository": "",
    "args": [],
    "resources": {
      "requests": {
        "cpu": "50m",
        "memory": "256Mi"
      },
      "limits": {
        "memory": "2Gi"
      }
    },
    "cache": {
      "volume": {}
    }
  },
  "history": {
    "volume": {},
    "claim": {
      "size": "",
      "storageClassName": "",
      "accessMode": "ReadWriteOnce"
    },
    "postgres": {
      "url": "",
      "passwordSecret": {
        "name": "",
        "key": "password"
      },
      "caConfigMap": {
        "name": "",
        "key": "ca.crt"
      },
      "caSecret": {
        "name": "",
        "key": "ca.crt"
      }
    }
  },
  "podDisruptionBudget": {},
  "networkPolicy": {
    "enabled": false
  },
  "openshift": {
    "enabled": false
  },
  "global": {}
}
{{- end -}}

{{- define "image-cleaner.groups" -}}
[
  "deploy",
  "deploy.image",
  "scanner",
  "scanner.image",
  "trivy",
  "trivy.cache",
  "history",
  "history.claim",
  "history.postgres",
  "history.postgres.passwordSecret",
  "history.postgres.caConfigMap",
  "history.postgres.caSecret",
  "networkPolicy",
  "openshift"
]
{{- end -}}

{{- define "image-cleaner.defaultConfiguration" -}}
{
  "apiVersion": "eraser.sh/v1alpha3",
  "kind": "EraserConfig",
  "manager": {
    "runtime": {
      "name": "containerd",
      "address": "unix:///run/containerd/containerd.sock"
    },
    "logLevel": "info",
    "scheduling": {
      "repeatInterval": "24h",
      "beginImmediately": true
    },
    "imageJob": {
      "successRatio": 1,
      "cleanup": {
        "delayOnSuccess": "0s",
        "delayOnFailure": "24h"
      }
    },
    "pullSecrets": [],
    "priorityClassName": "",
    "additionalPodLabels": {},
    "nodeFilter": {
      "type": "exclude",
      "selectors": [
        "eraser.sh/cleanup.filter",
        "kubernetes.io/os=windows"
      ]
    }
  },
  "components": {
    "collector": {
      "enabled": true,
      "image": {
        "tag": "0.1.0"
      }
    },
    "scanner": {
      "enabled": true,
      "image": {
        "tag": "0.1.0"
      },
      "config": "deleteFailedImages: true\ndeleteEOLImages: true\nvulnerabilities:\n  ignoreUnfixed: true\n  types:\n    - os\n    - library\n  securityChecks:\n    - vuln\n  severities:\n    - CRITICAL\n    - HIGH\n    - MEDIUM\n    - LOW\n  ignoredStatuses: []\ntimeout:\n  total: 23h\n  perImage: 1h\n"
    },
    "remover": {
      "image": {
        "tag": "0.1.0"
      }
    }
  }
}
{{- end -}}
