import Dionysus
import GRDB

/// The tables of a log file.
enum LogSchema {
    /// Marks the file as a log ("DLog"), so that no other SQLite database is taken for one.
    static let applicationID: Int32 = 0x444C_6F67
    static let version: Int32 = 1

    private static let tables = """
        CREATE TABLE topics (
          id INTEGER PRIMARY KEY,
          name TEXT NOT NULL UNIQUE,
          partitions INTEGER NOT NULL
        );
        CREATE TABLE partitions (
          id INTEGER PRIMARY KEY,
          topic_id INTEGER NOT NULL REFERENCES topics (id),
          number INTEGER NOT NULL,
          first_offset INTEGER NOT NULL DEFAULT 0,
          next_offset INTEGER NOT NULL DEFAULT 0,
          bytes INTEGER NOT NULL DEFAULT 0,
          UNIQUE (topic_id, number)
        );
        CREATE TABLE messages (
          id INTEGER PRIMARY KEY,
          timestamp INTEGER NOT NULL,
          key BLOB,
          value BLOB,
          headers BLOB
        );
        CREATE TABLE consumer_groups (
          id INTEGER PRIMARY KEY,
          name TEXT NOT NULL UNIQUE,
          generation INTEGER NOT NULL DEFAULT 0,
          last_topic_id INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE members (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          group_id INTEGER NOT NULL REFERENCES consumer_groups (id),
          client_id TEXT NOT NULL,
          renewed_at INTEGER NOT NULL,
          timeout INTEGER NOT NULL
        );
        CREATE INDEX members_of_group ON members (group_id);
        CREATE TABLE subscriptions (
          member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
          name TEXT NOT NULL,
          is_pattern INTEGER NOT NULL,
          PRIMARY KEY (member_id, is_pattern, name)
        ) WITHOUT ROWID;
        CREATE TABLE assignments (
          group_id INTEGER NOT NULL REFERENCES consumer_groups (id),
          partition_id INTEGER NOT NULL REFERENCES partitions (id),
          owner_id INTEGER,
          target_id INTEGER,
          PRIMARY KEY (group_id, partition_id)
        ) WITHOUT ROWID;
        CREATE TABLE committed_offsets (
          group_id INTEGER NOT NULL REFERENCES consumer_groups (id),
          partition_id INTEGER NOT NULL REFERENCES partitions (id),
          next_offset INTEGER NOT NULL,
          committed_at INTEGER NOT NULL,
          metadata TEXT,
          PRIMARY KEY (group_id, partition_id)
        ) WITHOUT ROWID;
        """

    /// Creates the tables in an empty file; of any other file, checks that it is a log of this version, and adds what has
    /// come since it was made, which older versions of Dionysus don't mind.
    static func prepare(_ connection: Connection, path: String) throws {
        guard try !check(connection, path: path) else {
            guard try !isComplete(connection) else { return }
            return try connection.execute(sql: "ALTER TABLE committed_offsets ADD COLUMN metadata TEXT")
        }
        try connection.execute(sql: tables)
        try connection.execute(sql: "PRAGMA application_id = \(Self.applicationID)")
        try connection.execute(sql: "PRAGMA user_version = \(Self.version)")
    }

    /// Whether a log has all columns.
    static func isComplete(_ connection: Connection) throws -> Bool {
        try Int.fetchOne(
            connection,
            sql: "SELECT count(*) FROM pragma_table_info('committed_offsets') WHERE name = 'metadata'"
        ) == 1
    }

    /// Checks that a file is a log of this version, or empty.
    /// - Returns: Whether it has the tables.
    static func check(_ connection: Connection, path: String) throws -> Bool {
        let applicationID = try Int32.fetchOne(connection, sql: "PRAGMA application_id") ?? 0
        let version = try Int32.fetchOne(connection, sql: "PRAGMA user_version") ?? 0
        let tableCount = try Int.fetchOne(connection, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        if applicationID == 0, version == 0, tableCount == 0 { return false }
        guard applicationID == Self.applicationID else {
            throw DionysusError(
                .malformed,
                "\(path) is a SQLite database, but not an embedded log",
                advice: "give the log a file of its own"
            )
        }
        guard version == Self.version else {
            throw DionysusError(
                .malformed,
                "the embedded log \(path) has format \(version), this version of Dionysus knows \(Self.version)",
                advice: "use the version of Dionysus that made the file, or a newer one"
            )
        }
        return true
    }
}

/// The primary key of a message: the partition's id above, the offset below.
///
/// So a partition is one contiguous range of the table, and appending to it needs no second index.
enum MessageID {
    static let offsetBits: Int64 = 44

    static func make(partitionID: Int64, offset: Int64) -> Int64 { partitionID << offsetBits | offset }

    static func offset(of id: Int64) -> Int64 { id & (1 << offsetBits - 1) }
}
