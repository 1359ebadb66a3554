import Dionysus
import DionysusSchemas

/// How the messages of those topics are written that have a format.
struct RecordEncodings: Sendable {
    private let encoders: [RecordGroup: RecordEncoder]

    /// What could be prepared of a batch.
    struct Prepared: Sendable {
        /// How the records of groups are written, or why they can't be.
        var records: [RecordGroup: Result<PreparedRecords, DionysusError>] = [:]
        /// Groups that have to wait, because the registry is away or doesn't have their schema yet.
        var waiting: [RecordGroup: DionysusError] = [:]
    }

    /// How long a batch waits for the registry, while it holds its lane.
    private static let patience = Duration.seconds(5)

    /// - Parameters:
    ///   - plans: How the records are loaded.
    ///   - registry: The schema registry, if there is one.
    /// - Throws: ``DionysusError`` with code `declaration` or `configuration`, all faults in one.
    init(_ declaration: Registry, plans: [RecordGroup: LoadPlan], registry: SchemaRegistryClient?) throws {
        let (encoders, faults) = try Self.encoders(declaration, plans, registry)
        try throwFaults(faults)
        self.encoders = encoders
    }

    /// What is wrong with the encodings of topics, a line each.
    static func faults(_ registry: Registry, _ catalogue: Catalogue) throws -> [String] {
        try encoders(registry, LoadPlan.all(of: registry, catalogue), registry.schemaRegistry).faults
    }

    private static func encoders(
        _ declaration: Registry,
        _ plans: [RecordGroup: LoadPlan],
        _ registry: SchemaRegistryClient?
    ) throws -> (encoders: [RecordGroup: RecordEncoder], faults: [String]) {
        let publications = declaration.publications.filter { $0.encoding.format != nil }
        guard !publications.isEmpty else { return ([:], []) }
        let contract = try declaration.contract
        var encoders: [RecordGroup: RecordEncoder] = [:]
        var faults: [String] = []
        for publication in publications {
            guard let format = publication.encoding.format else { continue }
            for group in RecordGroup.all(of: publication) {
                guard let plan = plans[group] else { continue }
                do {
                    encoders[group] = try RecordEncoder(
                        group.topic,
                        publication,
                        plan,
                        format,
                        contract: contract,
                        registry: registry
                    )
                } catch let error as DionysusError {
                    faults.append("topic \(group.topic), model \(group.modelName): \(error)")
                }
            }
            let name = publication.model.name
            // What replicas are compared with is written as the topic itself is, with its schema.
            encoders[RecordGroup(topic: publication.verificationTopic, modelName: name)] =
                encoders[RecordGroup(topic: publication.topic, modelName: name)]
        }
        return (encoders, faults)
    }

    var isEmpty: Bool { encoders.isEmpty }

    /// How a group's records are written; nil for envelopes without a format.
    subscript(group: RecordGroup) -> RecordEncoder? { encoders[group] }

    /// Finds out how the records of groups are written.
    /// - Parameter groups: The groups of a batch; those without a format are left out.
    /// - Throws: ``RegistryRefusal`` when the registry refuses the application, which waiting doesn't change.
    func prepare(_ groups: Set<RecordGroup>) async throws -> Prepared {
        // All at once, so that the lane is held for the time of one of them.
        try await withThrowingTaskGroup(of: (RecordGroup, Result<PreparedRecords, DionysusError>).self) { tasks in
            for group in groups {
                guard let encoder = encoders[group] else { continue }
                tasks.addTask { (group, try await Self.attempt(encoder)) }
            }
            var prepared = Prepared()
            for try await (group, result) in tasks {
                guard let error = result.failure else {
                    prepared.records[group] = result
                    continue
                }
                if error.code == .accessDenied { throw RegistryRefusal(error: error) }
                // A schema that the registry doesn't have yet is one that somebody will push.
                if error.isRetriable || error.code == .unknownSchema {
                    prepared.waiting[group] = error
                } else {
                    prepared.records[group] = result
                }
            }
            return prepared
        }
    }

    private static func attempt(_ encoder: RecordEncoder) async throws -> Result<PreparedRecords, DionysusError> {
        do {
            return .success(try await patiently { try await encoder.prepared() })
        } catch let error as DionysusError {
            return .failure(error)
        }
    }

    private static func patiently<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: patience)
                return nil
            }
            defer { group.cancelAll() }
            if let first = try await group.next(), let value = first { return value }
            throw DionysusError(
                .registryUnavailable,
                "the schema registry has not answered within \(patience.components.seconds) seconds",
                advice: "check that it is up and can be reached",
                isRetriable: true
            )
        }
    }
}

/// The schema registry doesn't let the application in: that is a wrong setting, and ends the work.
struct RegistryRefusal: Error {
    let error: DionysusError
}
