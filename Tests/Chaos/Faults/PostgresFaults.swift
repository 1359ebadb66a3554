import Dionysus
import DionysusPostgres
import Foundation
import TestSupport

extension Fault {
    static let postgresFaults = [
        Fault(name: "postgres-restart", summary: "PostgreSQL restarts, ending all sessions", systems: .onServers) {
            _,
            _ in
            try await restart("fast")
        },
        Fault(name: "postgres-crash", summary: "PostgreSQL is shut down immediately, and recovers", systems: .onServers)
        {
            _,
            _ in
            try await restart("immediate")
        },
        Fault(name: "backend-kill", summary: "sessions are terminated one after another", systems: .onServers) {
            system,
            random in
            for _ in 1...15 {
                let database = Bool.random(using: &random) ? system.source : system.replica
                try await system.disturb(
                    [
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
                        """
                    ],
                    database
                )
                try await pause(50...400, &random)
            }
        },
        Fault(name: "lost-commit", summary: "the reply to a COMMIT is lost with its connection", systems: .onServers) {
            system,
            random in
            for _ in 1...12 {
                system.databaseProxy?.change { $0.lostReply = Array("COMMIT\0".utf8) }
                try await pause(100...500, &random)
            }
            system.databaseProxy?.change { $0.lostReply = nil }
        },
        Fault(name: "database-cut", summary: "connections to PostgreSQL are cut", systems: .onServers) {
            system,
            random in
            for _ in 1...8 {
                system.databaseProxy?.cut()
                try await pause(100...900, &random)
            }
        },
        Fault(name: "database-away", summary: "PostgreSQL is unreachable for seconds", systems: .onServers) {
            system,
            random in
            system.databaseProxy?.change { $0.isDown = true }
            system.databaseProxy?.cut()
            try await pause(2000...5000, &random)
            system.databaseProxy?.change { $0.isDown = false }
        },
        Fault(
            name: "database-slow",
            summary: "the network to PostgreSQL has a latency of 20 ms and more",
            systems: .onServers,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            system.databaseProxy?
                .change {
                    $0.delay = .milliseconds(20)
                    $0.jitter = .milliseconds(30)
                }
            try await pause(3000...5000, &random)
            system.databaseProxy?
                .change {
                    $0.delay = .zero
                    $0.jitter = .zero
                }
        },
        Fault(
            name: "deadlocks",
            summary: "other transactions lock the same rows in different orders",
            systems: .onServers
        ) {
            system,
            random in
            for _ in 1...10 {
                let isSource = Bool.random(using: &random)
                let ids = (1...20).map { _ in Int.random(in: 1...100, using: &random) }
                let column = isSource ? "id" : "synced_id"
                let statements = ids.map { id -> SQL in
                    "UPDATE rentals SET bedrooms = bedrooms WHERE \(identifier: column) = \(id)"
                }
                try await system.disturb(statements, isSource ? system.source : system.replica)
                try await pause(20...100, &random)
            }
        },
        Fault(name: "statement-timeout", summary: "statements that take 15 ms time out", systems: .onServers) {
            system,
            random in
            for database in [system.source, system.replica] { try await setTimeout("15ms", of: database) }
            system.databaseProxy?.cut()
            try await pause(2500...4000, &random)
            for database in [system.source, system.replica] { try await setTimeout("0", of: database) }
            system.databaseProxy?.cut()
        },
        Fault(
            name: "old-snapshot",
            summary: "a transaction keeps its snapshot open",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            let database = try System.open(system.places.directSource)
            let length = UInt32.random(in: 4...7, using: &random)
            _ = try await database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT count(*) FROM rentals")
                sleep(length)
            }
            await database.close()
        },
        Fault(
            name: "idle-transaction",
            summary: "a writer idles in its transaction while others continue, and then commits",
            systems: .onServers,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            let database = try System.open(system.places.directSource)
            let length = UInt32.random(in: 6...9, using: &random)
            let id = Int.random(in: 1...100, using: &random)
            do {
                try await database.transaction(.write) { transaction in
                    try transaction.run([
                        "INSERT INTO rentals (account_id, name, price) SELECT min(id), 'late', 10 FROM accounts",
                        "UPDATE rentals SET price = price + 1 WHERE id = \(id)",
                    ])
                    sleep(length)
                }
            } catch let error as DionysusError where error.isRetriable {
                // A writer that waited for the same record was part of a deadlock.
            }
            await database.close()
        },
        Fault(
            name: "no-connections",
            summary: "all connections of PostgreSQL or PgBouncer are taken",
            systems: .onServers
        ) {
            system,
            random in
            let length = Int.random(in: 3...6, using: &random)
            if system.kind == .bouncer {
                await takePool(system.places.source, for: length)
            } else {
                try await takeConnections(system, for: .seconds(length))
            }
        },
        Fault(name: "serialization", summary: "transactions fail to serialize, at random", systems: .onServers) {
            system,
            random in
            let tables = [
                (system.source, ["dionysus_outboxes", "dionysus_lanes"]),
                (system.replica, ["dionysus_offsets", "rentals", "bookings"]),
            ]
            for (database, names) in tables {
                try await system.insist([failingFunction] + names.map(failingTrigger), on: database)
            }
            try await pause(3000...5000, &random)
            for (database, _) in tables {
                try await system.insist(["DROP FUNCTION chaos_fail() CASCADE"], on: database)
            }
        },
        Fault(
            name: "disk-full",
            summary: "no space is left for the tables of source and replica",
            systems: .onServers
        ) {
            system,
            random in
            let length = Duration.milliseconds(Int.random(in: 3000...6000, using: &random))
            try await withTemporaryDirectory { directory in
                let path = try await serverDirectory(system)
                let owner = try FileManager.default.attributesOfItem(atPath: path)[.ownerAccountID] as? UInt32
                let place = directory + "/tables"
                guard let disk = try await SmallDisk.mounted(at: place, megabytes: 64, owner: owner ?? getuid()) else {
                    return print("  disk-full is skipped: a small file system can't be mounted here")
                }
                try await fill(disk, with: system, for: length)
                try await disk.unmount()
            }
        },
    ]

    // MARK: Space

    private static func serverDirectory(_ system: System) async throws -> String {
        try await system.source.transaction(.snapshot) { transaction in
            try transaction.run("SELECT current_setting('data_directory')").first?.text(0) ?? ""
        }
    }

    /// Moves all tables to a disk, fills it, frees the space, and moves the tables back.
    private static func fill(_ disk: SmallDisk, with system: System, for length: Duration) async throws {
        let server = try PostgresDatabase(url: system.places.directSource)
        try await server.outsideTransaction("CREATE TABLESPACE chaos_small LOCATION \(raw: "'\(disk.path)'")")
        for database in [system.source, system.replica] { try await move(database, to: "chaos_small", system) }
        try await SmallDisk.keepFull([disk], for: length)
        for database in [system.source, system.replica] { try await move(database, to: "pg_default", system) }
        // A checkpoint removes the remaining files.
        try await server.outsideTransaction("CHECKPOINT")
        try await server.outsideTransaction("DROP TABLESPACE chaos_small")
        await server.close()
    }

    private static func move(_ database: any Database, to space: String, _ system: System) async throws {
        let names = try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").rows
                .compactMap { try $0.text(0) }
        }
        for name in names {
            try await system.insist(
                [
                    "SET LOCAL lock_timeout TO '2s'",
                    "ALTER TABLE \(identifier: name) SET TABLESPACE \(identifier: space)",
                ],
                on: database
            )
        }
    }

    // MARK: Connections

    /// Opens so many transactions that PgBouncer makes all others wait.
    private static func takePool(_ url: String, for seconds: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 1...40 {
                group.addTask {
                    guard let database = try? System.open(url) else { return }
                    _ = try? await database.transaction(.write) { try $0.run("SELECT pg_sleep(\(seconds))") }
                    await database.close()
                }
            }
        }
    }

    /// The password of the test server, which the server itself doesn't read from `PGPASSFILE`.
    private static var password: String {
        let path = ProcessInfo.processInfo.environment["PGPASSFILE"] ?? ""
        let line = (try? String(contentsOfFile: path, encoding: .utf8))?.split(whereSeparator: \.isNewline).first
        return line?.split(separator: ":").last.map(String.init) ?? ""
    }

    /// Takes all remaining connections with sessions of the server, and terminates the others.
    private static func takeConnections(_ system: System, for length: Duration) async throws {
        try await system.insist(["CREATE EXTENSION IF NOT EXISTS dblink"], on: system.source)
        // Otherwise clients with terminated connections find free slots.
        system.databaseProxy?.change { $0.isDown = true }
        system.databaseProxy?.cut()
        defer { system.databaseProxy?.change { $0.isDown = false } }
        // One session can't open enough of them: the server limits its open files.
        let sessions = try (1...2).map { _ in try System.open(system.places.directSource) }
        let password = password
        var isFull = false
        // The terminated ones disappear one by one.
        for (number, session) in (1...10).flatMap({ _ in sessions }).enumerated() where !isFull {
            isFull = try await session.transaction(.write) { transaction in
                // It stops at the first refused connection, and keeps the others.
                try transaction.run(
                    """
                    DO $$ BEGIN
                      FOR n IN 1..10000 LOOP
                        PERFORM dblink_connect(\(raw: "'taken \(number) '") || n, format('host=127.0.0.1 port=%s user=%s dbname=%s password=%s',
                          current_setting('port'), current_user, current_database(), '\(raw: password)'));
                      END LOOP;
                    EXCEPTION WHEN OTHERS THEN NULL; END $$
                    """
                )
                return try transaction
                    .run(
                        """
                        SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity
                        WHERE backend_type = 'client backend'
                        """
                    )
                    .first?
                    .integer(0) == 0
            }
        }
        guard isFull else { throw ChaosError("not all connections were taken") }
        system.databaseProxy?.change { $0.isDown = false }
        try await Task.sleep(for: length)
        for session in sessions { await session.close() }
    }

    // MARK: Failures

    private static let failingFunction: SQL = """
        CREATE FUNCTION chaos_fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF random() < 0.2 THEN
            RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
          END IF;
          RETURN NULL;
        END $$
        """

    private static func failingTrigger(on table: String) -> SQL {
        """
        CREATE TRIGGER chaos_fail AFTER INSERT OR UPDATE ON \(identifier: table)
        FOR EACH STATEMENT EXECUTE FUNCTION chaos_fail()
        """
    }

    /// Restarts the test's server.
    private static func restart(_ mode: String) async throws {
        guard let control = ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_CONTROL"] else {
            throw ChaosError("DIONYSUS_TEST_POSTGRES_CONTROL is not set: run through script/with-services")
        }
        let command = "cd / && \(control) restart -w -s -m \(mode)"
        let result = try await RunningProcess("sh", ["-c", command], environment: [:]).result()
        guard result.status == 0 else { throw ChaosError("PostgreSQL did not restart: \(result.errors)") }
    }

    private static func setTimeout(_ value: String, of database: any Database) async throws {
        _ = try await database.transaction(.write) { transaction in
            let name = try transaction.run("SELECT current_database()").first?.text(0) ?? ""
            _ = try transaction.run("ALTER DATABASE \(identifier: name) SET statement_timeout = \(raw: "'\(value)'")")
        }
    }
}
