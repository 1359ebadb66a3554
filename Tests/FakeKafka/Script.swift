import NIOCore

/// The supported kinds of requests.
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

    /// The highest supported version; none is "flexible", and the lowest is always 0.
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

/// The broker's content and answers.
public struct Script: Sendable {
    /// The PLAIN credentials; nil for anonymous access without SASL.
    public var credentials: (user: String, password: String)?
    /// Its SASL mechanisms.
    public var mechanisms = ["PLAIN"]
    /// Kafka's error codes for refused requests, in every error field of the answer.
    public var errors: [Request: Int16] = [:]
    /// Kafka's error codes for topics in the answers to metadata, fetch and produce requests.
    public var topicErrors: [String: Int16] = [:]
    /// Whether a requested topic is created automatically.
    public var createsTopicsWhenAsked = false
    /// The number of metadata answers that don't yet report a newly created topic.
    public var metadataLag = 0
    /// The requests on which it closes the connection.
    public var cutsAt: Set<Request> = []
    /// Its advertised address, like `advertised.listeners`; nil for its own address.
    public var advertised: (host: String, port: Int)?
    /// The protocols of the group's other members; empty for no other members.
    public var groupProtocols: [String] = []
    /// The numbers of replicas and of in-sync replicas of partitions.
    public var (replicas, inSync): (Int32, Int32) = (1, 1)
    /// Additional topic configuration.
    public var topicSettings: [String: [String: String]] = [:]

    /// The protocols that members have offered when they joined, in order, with their static names.
    public internal(set) var joins: [(protocols: [String], instance: String?)] = []
    /// The committed offsets.
    public internal(set) var committed: [String: [Int32: Int64]] = [:]

    var port: Int32 = 0
    var counts: [Request: Int] = [:]
    var topics: [String: [PartitionLog]] = [:]
    /// Unreported topics, with the number of answers until they are reported.
    var hidden: [String: Int] = [:]
    var generation: Int32 = 0

    /// Creates a script for an empty broker with anonymous access.
    public init() {}

    /// Creates a topic, or recreates it.
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

/// The outcome of a request.
enum Outcome {
    case answer(ByteBuffer)
    /// A delayed answer, so that retrying clients don't keep the machine busy.
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
            // Kafka closes the connection of a client that sends another request first.
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
