public import Dionysus
public import DionysusApplication
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
public import Foundation

/// A declaration in a file: what is published and consumed, and with which settings.
///
///     let file = try DeclarationFile(path: "rentals.yml")
public struct DeclarationFile: Sendable {
    /// The file's path.
    package let path: String
    /// What is published; nil if the file declares nothing.
    public let producer: FileProducer?
    /// What is consumed; nil if the file declares nothing.
    public let consumer: FileConsumer?
    /// The settings, which the environment overrides.
    public let settings: ApplicationSettings
    private let unknown: [FileModel]
    private let root: FileNode?
    private let hidden: [FileFaults.HiddenValue]

    /// A file that declares nothing.
    init() {
        path = ""
        producer = nil
        consumer = nil
        settings = ApplicationSettings()
        unknown = []
        root = nil
        hidden = []
    }

    /// Reads a file.
    /// - Parameters:
    ///   - path: The file.
    ///   - environment: What `${NAME}` stands for.
    /// - Throws: `DionysusError` with code `declaration` and all mistakes in the file, a line each with its place.
    public init(path: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        try self.init(path: path, environment: environment, needsVariables: true)
    }

    /// - Parameter needsVariables: Whether variables that have no value are mistakes.
    package init(path: String, environment: [String: String], needsVariables: Bool) throws {
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? handle.close() }
            data = try handle.read(upToCount: NodeReader.maximumSize + 1) ?? Data()
        } catch {
            throw DionysusError(
                .notFound,
                "the file \(path) can't be read: \(error.localizedDescription)",
                advice: "name it with -f, or write one with `init`"
            )
        }
        try self.init(data, path: path, environment: environment, needsVariables: needsVariables)
    }

    package init(_ data: Data, path: String, environment: [String: String], needsVariables: Bool) throws {
        let faults = FileFaults(file: path)
        let root = NodeReader(environment: environment, needsVariables: needsVariables, faults: faults).read(data)
        if let root { Shape.keys(FileKeys.file).check(root, faults) }
        try self.init(root, path: path, [:], faults)
    }

    private init(_ root: FileNode?, path: String, _ known: [String: [ModelColumn]], _ faults: FileFaults) throws {
        self.path = path
        self.root = root
        hidden = faults.hidden
        let models = FileModels(root, known, faults)
        unknown = models.models.filter { $0.columns == nil }
        let producer = FileProducer(root, models, faults)
        let declaresNothing = producer.namespaces.isEmpty && producer.debeziumOutboxes.isEmpty
        self.producer = declaresNothing ? nil : producer
        consumer = root?["replica"] == nil ? nil : FileConsumer(root?["replica"], faults)
        settings = ApplicationSettings(root, faults)
        if faults.isEmpty, self.producer == nil, consumer == nil {
            faults.add(Place(line: 1, column: 1), "the file declares neither namespaces nor a replica")
        }
        try faults.check()
    }

    /// The file with the columns that it leaves to the database.
    /// - Parameter source: The database whose changes are published.
    /// - Throws: `DionysusError` with code `declaration` for what doesn't fit the tables, as for the file itself.
    package func completed(from source: some Database) async throws -> DeclarationFile {
        guard leavesColumnsToDatabase else { return self }
        let names = unknown.map(\.table)
        let found = try await source.transaction(.snapshot) { transaction in
            try names.compactMap { try transaction.describe(table: $0) }
        }
        let columns = found.map { table in
            (
                table.name,
                table.columns.map { column in
                    ModelColumn(name: column.name, kind: ValueKind(of: column), isOptional: column.isNullable)
                }
            )
        }
        let known = Dictionary(columns, uniquingKeysWith: { first, _ in first })
        let faults = FileFaults(file: path, hiding: hidden)
        for model in unknown where known[model.table] == nil {
            faults.add(
                model.place,
                "the source database has no table \(model.table.printable()), that of \(model.name)"
            )
        }
        try faults.check()
        return try DeclarationFile(root, path: path, known, faults)
    }

    /// The models whose columns the file leaves to the database.
    package var modelsWithoutColumns: [String] { unknown.map(\.name) }

    package var leavesColumnsToDatabase: Bool { !unknown.isEmpty }

    /// What is wrong with what the file declares as a whole, a line each.
    package var declarationFaults: [String] {
        var faults: [String] = []
        if let producer {
            faults += Registry(producer, settings: settings.producer).faults
            faults += producer.topicFaults(settings.producer) + settings.producer.faults
        }
        if let consumer {
            faults += ConsumedTopics(consumer, settings: settings.consumer).faults + settings.consumer.faults
        }
        return faults.reduce(into: []) { unique, fault in if !unique.contains(fault) { unique.append(fault) } }
    }

    /// The SQL statements that create the application's own tables on a side.
    package func migration(of side: MigratedSide, _ dialect: any SQLDialect) -> [String] {
        let node = root?[side.rawValue]?["migrate"]
        let own = node?[dialect.enforcesTypes ? "postgresql" : "sqlite"]
        return (own ?? node)?.items.compactMap(\.text) ?? []
    }

    /// Creates the tables of the file's `source.migrate`.
    public func migrateSource(_ transaction: inout Transaction) throws { try migrate(.source, &transaction) }

    /// Creates the tables of the file's `replica.migrate`.
    public func migrateReplica(_ transaction: inout Transaction) throws { try migrate(.replica, &transaction) }

    private func migrate(_ side: MigratedSide, _ transaction: inout Transaction) throws {
        for statement in migration(of: side, transaction.dialect) { try transaction.run("\(raw: statement)") }
    }

    /// A side whose own tables the file may create.
    package enum MigratedSide: String, Sendable {
        case source
        case replica
    }
}
