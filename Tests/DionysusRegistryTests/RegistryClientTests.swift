import Dionysus
import DionysusHTTP
import DionysusRegistryTesting
import DionysusSchemas
import Synchronization
import Testing

/// Client of a schema registry.
@Suite(.timeLimit(.minutes(10))) struct RegistryClientTests {
    private let registry = InMemorySchemaRegistry()
    private static let schema = RegistrySchema(.avro, #"{"type":"record","name":"A","fields":[]}"#)
    private static let incompatible = RegistrySchema(
        .avro,
        #"{"type":"record","name":"A","fields":[{"name":"a","type":"int"}]}"#
    )

    private func client(_ change: (inout SchemaRegistrySettings) -> Void = { _ in }) throws -> SchemaRegistryClient {
        var settings = registry.settings
        change(&settings)
        return try SchemaRegistryClient(settings, transport: registry)
    }

    @Test("an incompatible schema is refused with the registry's words, and nothing is tried again")
    func incompatible() async throws {
        let client = try client()
        _ = try await client.register(Self.schema, under: "a")
        let error = await #expect(throws: DionysusError.self) {
            try await client.register(Self.incompatible, under: "a")
        }
        #expect(error?.code == .schemaRejected)
        #expect(error?.isRetriable == false)
        #expect(error?.message.contains("incompatible with an earlier schema") == true)
        #expect(error?.message.contains("a: ") == true)
        #expect(registry.requests.count == 2)
        let faults = try await client.incompatibilities(of: Self.incompatible, with: "a")
        #expect(faults.count == 1)
        #expect(try await client.incompatibilities(of: Self.schema, with: "a").isEmpty)
        #expect(try await client.incompatibilities(of: Self.schema, with: "new").isEmpty)
    }

    @Test("what is no schema is refused")
    func invalid() async throws {
        let client = try client()
        let error = await #expect(throws: DionysusError.self) {
            try await client.register(RegistrySchema(.avro, "{}"), under: "a")
        }
        #expect(error?.code == .schemaRejected)
        #expect(error?.message.contains("42201") == true)
    }

    @Test("an outage is tried again, and is over when the registry is back", arguments: [408, 429, 500, 502, 503, 504])
    func outage(status: Int) async throws {
        registry.inject(.error(status), times: 2)
        registry.inject(.away, times: 1)
        _ = try await client().register(Self.schema, under: "a")
        #expect(registry.requests.count == 4)
    }

    @Test("an outage that lasts is reported as one")
    func longOutage() async throws {
        registry.inject(.away)
        let client = try client()
        let error = await #expect(throws: DionysusError.self) { try await client.register(Self.schema, under: "a") }
        #expect(error?.code == .registryUnavailable)
        #expect(error?.isRetriable == true)
        #expect(registry.requests.count == 4)
        registry.removeFaults()
        #expect(try await client.register(Self.schema, under: "a").id == 1)
    }

    @Test("an answer that doesn't come in time is an outage")
    func slow() async throws {
        registry.inject(.slow(.seconds(60)))
        let client = try client {
            $0.timeout = .milliseconds(20)
            $0.maxRetries = 0
        }
        let error = await #expect(throws: DionysusError.self) { try await client.subjects() }
        #expect(error?.code == .registryUnavailable)
    }

    @Test("wrong credentials are no outage", arguments: [401, 403])
    func denied(status: Int) async throws {
        registry.inject(.error(status, "no"))
        let client = try client()
        let error = await #expect(throws: DionysusError.self) { try await client.register(Self.schema, under: "a") }
        #expect(error?.code == .accessDenied)
        #expect(error?.isRetriable == false)
        #expect(registry.requests.count == 1)
    }

    @Test("a message's schema that isn't there may come")
    func unknownID() async throws {
        let client = try client()
        let error = await #expect(throws: DionysusError.self) { try await client.schema(.number(7), type: .avro) }
        #expect(error?.code == .unknownSchema)
        #expect(error?.isRetriable == true)
    }

    @Test("users and tokens let a client in")
    func access() async throws {
        for access in [
            InMemorySchemaRegistry.Access.basic(user: "user", password: "pass: ö"), .bearer(token: "abc"),
        ] {
            let registry = InMemorySchemaRegistry(access: access)
            let stranger = try SchemaRegistryClient(self.registry.settings, transport: registry)
            let error = await #expect(throws: DionysusError.self) { try await stranger.subjects() }
            #expect(error?.code == .accessDenied)
            let friend = try registry.client()
            #expect(try await friend.subjects() == [])
        }
        let registry = InMemorySchemaRegistry(access: .basic(user: "user", password: "p@ss"))
        let client = try SchemaRegistryClient(
            SchemaRegistrySettings(url: "http://user:p%40ss@registry.invalid/"),
            transport: registry
        )
        #expect(try await client.subjects() == [])
    }

    @Test("secrets are in no error")
    func secrets() async throws {
        var settings = SchemaRegistrySettings(url: "http://user:secret@registry.invalid")
        settings.maxRetries = 0
        registry.inject(.away)
        let client = try SchemaRegistryClient(settings, transport: registry)
        let error = await #expect(throws: DionysusError.self) { try await client.subjects() }
        #expect(error.map { String(reflecting: $0).contains("secret") } == false)
        #expect(error?.message.contains("registry.invalid") == true)
    }

    @Test("the next address is asked where the first one is away, and stays the one that is asked")
    func severalAddresses() async throws {
        let transport = Relay([("http://one", nil), ("http://two", registry)])
        var settings = SchemaRegistrySettings(url: "http://one, http://two/")
        settings.retryDelay = .milliseconds(1)
        let client = try SchemaRegistryClient(settings, transport: transport)
        _ = try await client.subjects()
        _ = try await client.subjects()
        #expect(transport.hosts == ["http://one", "http://two", "http://two"])
    }

    @Test(
        "an answer that no registry gives is an outage, and no crash",
        arguments: [
            "<html>", "", "[]", "{}", "null", #"{"id":-1}"#, #"{"id":4294967296}"#, #"{"id":"1"}"#, #"{"id":1e300}"#,
            "[[[[", "\"", "{\"id\":1", String(repeating: "[", count: 100_000),
        ]
    )
    func strangeAnswers(body: String) async throws {
        registry.inject(.body(body))
        let client = try client { $0.maxRetries = 0 }
        for ask in [
            { _ = try await client.register(Self.schema, under: "a") },
            { _ = try await client.schema(.number(1), type: .avro) },
            { _ = try await client.latestSchema(of: "a") },
        ] as [@Sendable () async throws -> Void] {
            let error = await #expect(throws: DionysusError.self) { try await ask() }
            #expect(error?.code == .registryUnavailable)
        }
    }

    @Test("an error without words is one too, and long words are cut")
    func strangeErrors() async throws {
        let client = try client { $0.maxRetries = 0 }
        registry.inject(.body("", status: 409), times: 1)
        var error = await #expect(throws: DionysusError.self) { try await client.register(Self.schema, under: "a") }
        #expect(error?.code == .schemaRejected)
        registry.inject(.error(409, String(repeating: "x\u{1b}", count: 1_000_000)), times: 1)
        error = await #expect(throws: DionysusError.self) { try await client.register(Self.schema, under: "a") }
        #expect(error.map { $0.message.count < 20_000 && !$0.message.contains("\u{1b}") } == true)
    }

    @Test("references in a circle end")
    func circle() async throws {
        let body = """
            {"subject":"a","version":1,"id":1,"schema":"{}","references":[{"name":"n","subject":"a","version":1}]}
            """
        registry.inject(.body(body))
        let resolved = try await client().schema(.number(1), type: .avro)
        #expect(resolved.references.count == 1)
    }

    @Test("a subject's name can't lead elsewhere", arguments: ["a/b", "..", ".", "a?b=c", "ä #%", "a/../../config"])
    func names(subject: String) async throws {
        let client = try client()
        _ = try await client.register(Self.schema, under: subject)
        #expect(try await client.subjects() == [subject])
        #expect(try await client.versions(of: subject) == [1])
    }

    @Test(
        "addresses that are none are faults of the settings",
        arguments: ["", "localhost:8081", "ftp://a", "http://", "http://a?b"]
    )
    func wrongAddresses(url: String) {
        let error = #expect(throws: DionysusError.self) {
            try SchemaRegistryClient(SchemaRegistrySettings(url: url), transport: registry)
        }
        #expect(error?.code == .configuration)
    }

    @Test("who waits for an answer can be cancelled, and others who wait for it are not")
    func cancellation() async throws {
        registry.inject(.slow(.seconds(60)))
        let client = try client { $0.timeout = .seconds(120) }
        let task = Task { try await client.register(Self.schema, under: "a") }
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        registry.removeFaults()
        #expect(try await client.register(Self.schema, under: "a").id == 1)
    }

    @Test("subjects, levels, modes and versions are looked after")
    func administration() async throws {
        let client = try client()
        let first = try await client.register(Self.schema, under: "a-value")
        #expect(try await client.register(Self.schema, under: "b-value").id == first.id)
        #expect(try await client.subjects(of: first.id) == ["a-value", "b-value"])
        #expect(try await client.schemaTypes().sorted() == ["AVRO", "JSON", "PROTOBUF"])
        #expect(try await client.contexts() == ["."])

        #expect(try await client.compatibility() == "BACKWARD")
        try await client.setCompatibility("NONE", of: "a-value")
        #expect(try await client.compatibility(of: "a-value") == "NONE")
        #expect(try await client.register(Self.incompatible, under: "a-value").version == 2)
        try await client.setCompatibility(nil, of: "a-value")
        #expect(try await client.compatibility(of: "a-value") == "BACKWARD")

        try await client.setMode("READONLY", of: "b-value")
        #expect(try await client.mode(of: "b-value") == "READONLY")
        await #expect(throws: DionysusError.self) { try await client.register(Self.incompatible, under: "b-value") }
        try await client.setMode(nil, of: "b-value")
        #expect(try await client.mode(of: "b-value") == "READWRITE")

        try await client.delete(subject: "a-value", version: 2)
        #expect(try await client.versions(of: "a-value") == [1])
        #expect(try await client.versions(of: "a-value", includesDeleted: true) == [1, 2])
        await #expect(throws: DionysusError.self) { try await client.delete(subject: "a-value", isPermanent: true) }
        try await client.delete(subject: "a-value")
        #expect(try await client.subjects() == ["b-value"])
        try await client.delete(subject: "a-value", isPermanent: true)
        #expect(try await client.subjects(includesDeleted: true) == ["b-value"])
    }

    @Test("what another schema names can't be deleted")
    func referenced() async throws {
        let client = try client()
        _ = try await client.register(Self.schema, under: "a")
        let other = RegistrySchema(
            .avro,
            #"{"type":"record","name":"B","fields":[{"name":"a","type":"A"}]}"#,
            references: [SchemaReference(name: "A", subject: "a", version: 1)]
        )
        let id = try await client.register(other, under: "b").id
        #expect(try await client.referencingSchemas(version: 1, of: "a") == [Int(id)])
        let error = await #expect(throws: DionysusError.self) { try await client.delete(subject: "a") }
        #expect(error?.message.contains("42206") == true)
    }
}

/// Leads to a transport by the beginning of an address.
private final class Relay: HTTPTransport {
    private let routes: [(url: String, transport: InMemorySchemaRegistry?)]
    private let asked = Mutex<[String]>([])

    init(_ routes: [(url: String, transport: InMemorySchemaRegistry?)]) { self.routes = routes }

    var hosts: [String] { asked.withLock { $0 } }

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let route = routes.first { request.url.hasPrefix($0.url) }
        asked.withLock { $0.append(route?.url ?? "") }
        guard let transport = route?.transport else { throw HTTPTransportError("nobody is there") }
        return try await transport.send(request)
    }
}
