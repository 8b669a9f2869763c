/**
 * The migrations of an SQLite history, in their order; the file's `user_version` is the number of those it has had. Each runs in one transaction.
 * One that was released is never changed: the next change is a new one at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
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
  `,
  // Ages belong to a runtime. Those of a file in which runs of several runtimes are mixed, and of images that a run removed, cannot be told: such
  // images count as new. Reports do not say by which database they are: they are made again.
  `
  CREATE TABLE sighting (
    runtime_endpoint TEXT NOT NULL,
    id_key TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    last_in_use_ms INTEGER,
    last_in_use_at INTEGER,
    PRIMARY KEY (runtime_endpoint, id_key)
  ) WITHOUT ROWID;
  CREATE INDEX sighting_by_image ON sighting (id_key);
  CREATE TABLE sighted_runtime (
    runtime_endpoint TEXT PRIMARY KEY,
    sighted_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  INSERT INTO sighted_runtime
    SELECT min(runtime_endpoint), (SELECT sighted_ms FROM clock) FROM run
    HAVING count(DISTINCT runtime_endpoint) = 1 AND (SELECT sighted_ms FROM clock) IS NOT NULL;
  INSERT INTO sighting
    SELECT runtime_endpoint, id_key, first_seen_ms, first_seen_at, last_seen_ms, last_seen_at, last_in_use_ms, last_in_use_at
    FROM image CROSS JOIN sighted_runtime
    WHERE first_seen_ms IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM decision
      WHERE image_key = image.key AND removal_state IN ('removed', 'absent') AND removal_at >= image.last_seen_at
    );
  ALTER TABLE clock DROP COLUMN sighted_ms;
  ALTER TABLE image DROP COLUMN first_seen_ms;
  ALTER TABLE image DROP COLUMN first_seen_at;
  ALTER TABLE image DROP COLUMN last_seen_ms;
  ALTER TABLE image DROP COLUMN last_seen_at;
  ALTER TABLE image DROP COLUMN last_in_use_ms;
  ALTER TABLE image DROP COLUMN last_in_use_at;
  DROP TABLE scan_report;
  CREATE TABLE scan_report (
    id_key TEXT NOT NULL,
    scanner_name TEXT NOT NULL,
    scanner_version TEXT NOT NULL,
    database_updated_at TEXT NOT NULL,
    database_mark TEXT NOT NULL,
    judged_ms INTEGER NOT NULL,
    judged_at INTEGER NOT NULL,
    json TEXT,
    packed BLOB,
    PRIMARY KEY (id_key, scanner_name)
  );
  `,
  // Removals of killed runs that no audit log has yet. What was settled before this version is not known, so none of that.
  `
  ALTER TABLE decision ADD COLUMN audit_due INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX decision_by_audit_due ON decision (run_id) WHERE audit_due = 1;
  `,
  // A whole cluster in one file: a run of a node is a run with a row in node_run.
  `
  CREATE TABLE job (
    key INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    began_ms INTEGER NOT NULL,
    name TEXT,
    mode TEXT,
    started_at INTEGER,
    ended_at INTEGER,
    totals TEXT NOT NULL
  );
  CREATE TABLE node_run (
    run_id INTEGER PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
    job_key INTEGER NOT NULL REFERENCES job (key),
    node TEXT NOT NULL,
    digest TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    omitted_findings INTEGER NOT NULL,
    UNIQUE (job_key, node)
  );
  CREATE TABLE log (
    key INTEGER PRIMARY KEY,
    pod_uid TEXT NOT NULL,
    container TEXT NOT NULL,
    pod_name TEXT NOT NULL,
    job_key INTEGER NOT NULL REFERENCES job (key),
    node TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    UNIQUE (pod_uid, container)
  );
  CREATE INDEX log_by_node ON log (job_key, node);
  CREATE TABLE log_piece (
    key INTEGER PRIMARY KEY,
    log_key INTEGER NOT NULL REFERENCES log (key) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (log_key, sequence)
  );
  CREATE TABLE log_size (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
  );
  INSERT INTO log_size VALUES (1, 0);
  CREATE TRIGGER log_piece_kept AFTER INSERT ON log_piece BEGIN
    UPDATE log_size SET bytes = bytes + length(NEW.packed);
  END;
  CREATE TRIGGER log_piece_dropped AFTER DELETE ON log_piece BEGIN
    UPDATE log_size SET bytes = bytes - length(OLD.packed);
  END;
  `,
  // Reports that nodes tell of are all nodes' to use, so it is kept whose they are.
  `
  ALTER TABLE scan_report ADD COLUMN reported_by TEXT;
  `,
  // The same for what they have read of images.
  `
  ALTER TABLE analysis ADD COLUMN reported_by TEXT;
  `,
  // Nodes of which all that they had told of images was taken back.
  `
  CREATE TABLE revocation (
    key INTEGER PRIMARY KEY,
    node TEXT NOT NULL,
    revoked_ms INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
  );
  CREATE INDEX revocation_by_node ON revocation (node);
  `,
  // The one cluster that a history is of; no row: nobody has said, or a machine's.
  `
  CREATE TABLE owner (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster TEXT NOT NULL
  );
  `,
];
