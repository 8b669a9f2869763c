-- A history of version 1 of the file, as the first release wrote it. It is never changed: later versions must still read it.
PRAGMA auto_vacuum = incremental;
PRAGMA journal_mode = wal;
BEGIN;
CREATE TABLE clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  history_ms INTEGER NOT NULL,
  wall_at INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  uptime_ms INTEGER NOT NULL,
  sighted_ms INTEGER
);
CREATE TABLE run_holder (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  since_at INTEGER NOT NULL
);
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  began_ms INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  state TEXT NOT NULL,
  mode TEXT NOT NULL,
  version TEXT NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  runtime_endpoint TEXT NOT NULL,
  command TEXT NOT NULL,
  message TEXT,
  runtime TEXT,
  scanner TEXT,
  summary TEXT,
  filesystem TEXT
);
CREATE INDEX run_by_state ON run (state);
CREATE TABLE image (
  key INTEGER PRIMARY KEY,
  id_key TEXT NOT NULL UNIQUE,
  id TEXT NOT NULL,
  first_seen_ms INTEGER,
  first_seen_at INTEGER,
  last_seen_ms INTEGER,
  last_seen_at INTEGER,
  last_in_use_ms INTEGER,
  last_in_use_at INTEGER
);
CREATE TABLE image_name (
  name TEXT NOT NULL,
  image_key INTEGER NOT NULL REFERENCES image (key) ON DELETE CASCADE,
  PRIMARY KEY (name, image_key)
) WITHOUT ROWID;
CREATE INDEX image_name_by_image ON image_name (image_key);
CREATE TABLE naming (
  key INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  repo_tags TEXT NOT NULL,
  repo_digests TEXT NOT NULL,
  size_bytes INTEGER NOT NULL
);
CREATE TABLE reason (
  key INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  code TEXT NOT NULL,
  json TEXT,
  packed BLOB
);
CREATE TABLE decision (
  run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  image_key INTEGER NOT NULL REFERENCES image (key),
  position INTEGER NOT NULL,
  naming_key INTEGER NOT NULL REFERENCES naming (key),
  outcome TEXT NOT NULL,
  reason_key INTEGER NOT NULL REFERENCES reason (key),
  estimated_bytes INTEGER NOT NULL,
  removal_state TEXT,
  removal_at INTEGER,
  removal_message TEXT,
  kept_by TEXT,
  reclaimed_bytes INTEGER NOT NULL,
  PRIMARY KEY (run_id, image_key)
) WITHOUT ROWID;
CREATE INDEX decision_by_image ON decision (image_key);
CREATE INDEX decision_by_naming ON decision (naming_key);
CREATE INDEX decision_by_reason ON decision (reason_key);
CREATE TABLE scan_report (
  id_key TEXT NOT NULL,
  scanner_name TEXT NOT NULL,
  scanner_version TEXT NOT NULL,
  database_updated_at TEXT NOT NULL,
  judged_ms INTEGER NOT NULL,
  judged_at INTEGER NOT NULL,
  json TEXT,
  packed BLOB,
  PRIMARY KEY (id_key, scanner_name)
);
CREATE TABLE analysis (
  id_key TEXT NOT NULL,
  scanner_name TEXT NOT NULL,
  scanner_version TEXT NOT NULL,
  kept_ms INTEGER NOT NULL,
  image_id TEXT NOT NULL,
  recipe BLOB NOT NULL,
  PRIMARY KEY (id_key, scanner_name)
);
CREATE TABLE part (
  key INTEGER PRIMARY KEY,
  scanner_name TEXT NOT NULL,
  scanner_version TEXT NOT NULL,
  content_key TEXT NOT NULL,
  packed BLOB NOT NULL,
  UNIQUE (content_key, scanner_name, scanner_version)
);
CREATE TABLE analysis_part (
  id_key TEXT NOT NULL,
  scanner_name TEXT NOT NULL,
  position INTEGER NOT NULL,
  part_key INTEGER NOT NULL REFERENCES part (key),
  PRIMARY KEY (id_key, scanner_name, position),
  FOREIGN KEY (id_key, scanner_name) REFERENCES analysis (id_key, scanner_name) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX analysis_part_by_part ON analysis_part (part_key);
CREATE TABLE scanner_version (
  identity TEXT PRIMARY KEY,
  version TEXT NOT NULL,
  told_ms INTEGER NOT NULL
);
INSERT INTO clock VALUES (1, 3600000, 1793494800000, 'boot-1', 867600000, 0);
INSERT INTO run_holder VALUES (1, 4711, 'node-1', 1793491200000);
INSERT INTO run VALUES (1, 3600000, 1793491200000, 1793494800000, 'completed', 'automatic', '1.2.3', 4711, 'node-1', 'ada', 'unix:///run/containerd/containerd.sock', '["clean","--yes"]', NULL, '{"name":"containerd","version":"2.2.3"}', '{"name":"trivy","version":"0.74.0","databaseUpdatedAt":"2026-10-31T06:00:00Z"}', NULL, NULL);
INSERT INTO run VALUES (2, 3600000, 1793494800000, NULL, 'running', 'automatic', '1.2.3', 4711, 'node-1', 'ada', 'unix:///run/containerd/containerd.sock', '["clean","--yes"]', NULL, '{"name":"containerd","version":"2.2.3"}', '{"name":"trivy","version":"0.74.0","databaseUpdatedAt":"2026-10-31T06:00:00Z"}', NULL, NULL);
INSERT INTO image VALUES (1, '0000000000000000000000000000000000000000000000000000000000000001', 'sha256:0000000000000000000000000000000000000000000000000000000000000001', 0, 1793491200000, 0, 1793491200000, NULL, NULL);
INSERT INTO image VALUES (2, '0000000000000000000000000000000000000000000000000000000000000002', 'sha256:0000000000000000000000000000000000000000000000000000000000000002', 0, 1793491200000, 0, 1793491200000, 0, 1793491200000);
INSERT INTO image_name VALUES ('docker.io/library/image-1:1', 1);
INSERT INTO image_name VALUES ('docker.io/library/image-2:1', 2);
INSERT INTO naming VALUES (1, 'nWVs8S-rgtOAJPlzEsKqiyJPXji2Znf5NNX61OH6ph0', '["docker.io/library/image-1:1"]', '[]', 1001);
INSERT INTO naming VALUES (2, 'zfCtewsFUHowPtD3hGTrtU5yD_-xyIsvt2fGqfwEPj0', '["docker.io/library/image-2:1"]', '[]', 1002);
INSERT INTO reason VALUES (1, 'of_dlAhbfmJPuLnn3sCfHwa8O-5T7Nur1Y7cpwtbAcI', 'vulnerable', NULL, x'28b52ffd646806cd050072891f1e50ab73a0c8d0da1fcb9c45285a6e80743433dc358aa7faa737e0646626d49942210c044d00c02c4acb6ed5adfdf6c77078fefea891f2c5ad38a2441197b884f9fba4625386204bb9b5677c7b77af7464f7e48afa3b3716c1d332a2addeee9066710b52809cbfc3782cf1ded38c7046e9ed2c174b794aebfa3b432a3a16130087093305190933751740b10ba0e402a8bb008a5d00251740dd0550ec0228b900753d0607eb815bb00d86db83c30687e31954d96d9e01891e11e9');
INSERT INTO reason VALUES (2, 'wrFLi4Rzg0ctM9LuJvDYimU_5yprgWRv4igfr37Bqes', 'pinned', '{"code":"pinned","by":"runtime"}', NULL);
INSERT INTO reason VALUES (3, 'D6b0xdgSYvMowp67sANX1uoHP_lW2gZChGSXpw_P04I', 'unused', '{"code":"unused"}', NULL);
INSERT INTO decision VALUES (1, 1, 0, 1, 'remove', 1, 100, 'removed', 1793494800000, NULL, NULL, 90);
INSERT INTO decision VALUES (1, 2, 1, 2, 'keep', 2, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO decision VALUES (2, 2, 0, 2, 'remove', 3, 100, 'in-hand', 1793494800000, NULL, NULL, 0);
INSERT INTO scan_report VALUES ('0000000000000000000000000000000000000000000000000000000000000001', 'trivy', '0.74.0', '2026-10-31T06:00:00Z', 3600000, 1793494800000, '{"imageId":"sha256:0000000000000000000000000000000000000000000000000000000000000001","os":{"family":"alpine","name":"3.22","endOfLife":false},"count":1,"ids":"CVE-2026-0001","packageNames":"openssl","packageVersions":"3.0.0-r0","packageClasses":"0","packages":"0","fixedVersions":"=3.0.1-r0","severities":"1","statuses":"3"}', NULL);
INSERT INTO analysis VALUES ('0000000000000000000000000000000000000000000000000000000000000001', 'trivy', '0.74.0', 3600000, 'sha256:0000000000000000000000000000000000000000000000000000000000000001', x'28b52ffd240841000072656369706520315d34b19b');
INSERT INTO part VALUES (1, 'trivy', '0.74.0', 'layer-1', x'28b52ffd2412910000636f6e74656e74206f66206c617965722d31f646164d');
INSERT INTO analysis_part VALUES ('0000000000000000000000000000000000000000000000000000000000000001', 'trivy', 0, 1);
INSERT INTO scanner_version VALUES ('/usr/bin/trivy', '0.74.0', 3600000);
PRAGMA user_version = 1;
PRAGMA application_id = 1229147208;
COMMIT;
