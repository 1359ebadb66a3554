import NIOCore

/// The kinds of requests that the broker knows.
public enum Request: Int16, Sendable, CaseIterable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case saslHandshake = 17
    case apiVersions = 18
    case createTopics = 19
    case initProducerID = 22
    case describeConfigs = 32
    case saslAuthenticate = 36

    /// The last version that is spoken; none is "flexible", and the first is always 0.
    var lastVersion: Int16 {
        switch self {
        case .produce: 3
        case .fetch, .metadata, .createTopics: 4
        case .joinGroup: 5
        case .syncGroup, .heartbeat: 3
        case .listOffsets, .offsetCommit: 2
        case .offsetFetch, .saslHandshake: 1
        case .apiVersions: 3
        case .findCoordinator, .leaveGroup, .initProducerID, .describeConfigs, .saslAuthenticate: 0
        }
    }
}

/// What the broker holds, and how it answers.
public struct Script: Sendable {
    /// Who may use it, by PLAIN; nil for everybody, without SASL.
    public var credentials: (user: String, password: String)?
    /// The mechanisms of SASL that it offers.
    public var mechanisms = ["PLAIN"]
    /// Kafka's error codes by which it refuses requests, wherever the answer has a place for one.
    public var errors: [Request: Int16] = [:]
    /// Kafka's error codes by which topics are answered for in metadata, fetches and what is produced.
    public var topicErrors: [String: Int16] = [:]
    /// Whether a topic comes into being when it is asked for.
    public var createsTopicsWhenAsked = false
    /// How many answers about metadata don't yet tell of a topic that has been created on request.
    public var metadataLag = 0
    /// The requests at which it cuts the connection.
    public var cutsAt: Set<Request> = []
    /// Where it says that it is to be found, as `advertised.listeners` does; nil for where it listens.
    public var advertised: (host: String, port: Int)?
    /// What else is in the group: the protocols that the other members support; empty for none.
    public var groupProtocols: [String] = []
    /// How many replicas partitions have, and how many of them are in sync.
    public var (replicas, inSync): (Int32, Int32) = (1, 1)
    /// What topics are configured with, besides what they were created with.
    public var topicSettings: [String: [String: String]] = [:]

    /// The protocols that members have offered when they joined, in their order, with their static names.
    public internal(set) var joins: [(protocols: [String], instance: String?)] = []
    /// The offsets that have been committed.
    public internal(set) var committed: [String: [Int32: Int64]] = [:]

    var port: Int32 = 0
    var counts: [Request: Int] = [:]
    var topics: [String: [PartitionLog]] = [:]
    /// Topics that are not told of yet, with the number of answers until they are.
    var hidden: [String: Int] = [:]
    var generation: Int32 = 0

    /// Creates a script for a broker that is empty and open to everybody.
    public init() {}

    /// Creates a topic, or one of the same name anew.
    public mutating func createTopic(_ name: String, partitions: Int) {
        topics[name] = Array(repeating: PartitionLog(), count: partitions)
    }

    /// Deletes a topic.
    public mutating func deleteTopic(_ name: String) { topics[name] = nil }

    /// Appends records, or the end of a transaction, to a partition.
    /// - Returns: The offset of the first record.
    @discardableResult
    public mutating func append(_ batch: RecordBatch, to topic: String, _ partition: Int) -> Int64 {
        topics[topic]?[partition].append(batch) ?? -1
    }

    /// The offset after the last record of a partition; nil if there is no such partition.
    public func end(of topic: String, _ partition: Int) -> Int64? { topics[topic]?[partition].next }
}

/// What becomes of a request.
enum Outcome {
    case answer(ByteBuffer)
    /// An answer that is given after a moment, so that clients that ask again don't keep the machine busy.
    case late(ByteBuffer)
    case none
    case close
}

extension Script {
    /// Answers a request.
    mutating func answer(
        _ kind: Request,
        _ version: Int16,
        _ request: inout ByteBuffer,
        _ session: inout Session
    ) -> Outcome {
        counts[kind, default: 0] += 1
        if cutsAt.contains(kind) { return .close }
        if credentials != nil, !session.isAuthenticated {
            // Kafka cuts the connection of who asks for something else before.
            guard [.apiVersions, .saslHandshake, .saslAuthenticate].contains(kind) else { return .close }
        }
        var answer = ByteBuffer()
        switch kind {
        case .apiVersions: apiVersions(version, &answer)
        case .saslHandshake: handshake(&request, &session, &answer)
        case .saslAuthenticate: authenticate(&request, &session, &answer)
        case .metadata: metadata(version, &request, &answer)
        case .createTopics: createTopics(version, &request, &answer)
        case .describeConfigs: describeConfigs(&request, &answer)
        case .listOffsets: listOffsets(version, &request, &answer)
        case .initProducerID: initProducerID(&answer)
        case .produce: if !produce(&request, &answer) { return .none }
        case .fetch: if !fetch(&request, &answer) { return .late(answer) }
        case .findCoordinator: findCoordinator(&answer)
        case .joinGroup: joinGroup(version, &request, &answer)
        case .syncGroup: syncGroup(version, &request, &answer)
        case .heartbeat, .leaveGroup: heartbeat(kind, version, &answer)
        case .offsetFetch: offsetFetch(&request, &answer)
        case .offsetCommit: offsetCommit(&request, &answer)
        }
        return .answer(answer)
    }

    func error(_ kind: Request) -> Int16 { errors[kind] ?? 0 }

    func putAddress(_ answer: inout ByteBuffer) {
        answer.put(advertised?.host ?? "127.0.0.1")
        answer.put(advertised.map { Int32($0.port) } ?? port)
    }
}
