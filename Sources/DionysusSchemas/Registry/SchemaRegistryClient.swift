import Dionysus
package import DionysusHTTP

import struct Foundation.UUID

/// A client of a schema registry that speaks Confluent's REST API.
///
///     let registry = try SchemaRegistryClient(SchemaRegistrySettings(url: "http://localhost:8081"))
///     let schema = try await registry.register(RegistrySchema(rental), under: "rentals-value")
///
/// `init(_:)` without a transport is in `DionysusRegistry`. Schemas and their ids never change, so each is asked for once;
/// what can change, such as the latest version, is asked for again after a while.
///
/// Errors are `DionysusError`s, by whose code one tells whose fault it is:
///
/// | code | what happened | what to do |
/// |---|---|---|
/// | `registryUnavailable`, retriable | it can't be reached, is overloaded or broken, also after retries | wait; nothing is wrong with the data |
/// | `accessDenied` | it doesn't let this client in | stop, until somebody mends the settings |
/// | `schemaRejected` | the schema is incompatible or wrong | this schema's data can't be written |
/// | `unknownSchema` | there is none; retriable where it was asked for by an id, which may not have got to this server yet | |
public final class SchemaRegistryClient: Sendable {
    /// Where the registry is, and how it is used.
    package let settings: SchemaRegistrySettings
    let connection: RegistryConnection
    private let registered: SchemaCache<Registration, RegisteredSchema>
    private let resolved: SchemaCache<SchemaID, ResolvedSchema>
    private let versions: SchemaCache<SubjectVersion, RegisteredSchema>
    private let latest: SchemaCache<String, RegisteredSchema>

    /// A schema under a subject.
    private struct Registration: Hashable {
        let subject: String
        let schema: RegistrySchema
        /// Whether it was put there, and not only found.
        let isRegistered: Bool
    }

    private struct SubjectVersion: Hashable {
        let subject: String
        let version: Int
    }

    /// Creates a client.
    /// - Parameters:
    ///   - settings: Where the registry is, and how it is used.
    ///   - transport: The way to it.
    /// - Throws: `DionysusError` with code `configuration` for addresses that are none.
    package init(_ settings: SchemaRegistrySettings, transport: any HTTPTransport) throws {
        self.settings = settings
        connection = try RegistryConnection(settings, transport: transport)
        registered = SchemaCache(capacity: settings.cacheCapacity)
        resolved = SchemaCache(capacity: settings.cacheCapacity)
        versions = SchemaCache(capacity: settings.cacheCapacity)
        latest = SchemaCache(capacity: settings.cacheCapacity, lifetime: settings.latestLifetime)
    }

    /// Registers a schema, unless the subject has it already.
    /// - Parameters:
    ///   - schema: The schema.
    ///   - subject: The subject.
    /// - Returns: The schema with its id.
    /// - Throws: `DionysusError`, with code `schemaRejected` and the registry's words for a schema that isn't compatible.
    package func register(_ schema: RegistrySchema, under subject: String) async throws -> RegisteredSchema {
        let key = Registration(subject: subject, schema: schema, isRegistered: true)
        return try await registered.value(key) { [self] in
            let what = "a schema can't be registered under \(subject.printable())"
            let answer = try await connection.send(
                "POST",
                ["subjects", subject, "versions"],
                query: normalization,
                body: schema.document,
                what
            )
            return try answer.registration(of: schema, under: subject, else: connection.strange(what))
        }
    }

    /// Finds out which version of a subject a schema is.
    /// - Parameters:
    ///   - schema: The schema.
    ///   - subject: The subject.
    /// - Returns: The schema with its id and version.
    /// - Throws: `DionysusError`, with code `unknownSchema` if the subject doesn't have it.
    package func find(_ schema: RegistrySchema, under subject: String) async throws -> RegisteredSchema {
        let key = Registration(subject: subject, schema: schema, isRegistered: false)
        return try await registered.value(key) { [self] in
            let what = "a schema can't be found under \(subject.printable())"
            let answer = try await connection.send(
                "POST",
                ["subjects", subject],
                query: normalization,
                body: schema.document,
                what
            )
            return try answer.registration(of: schema, under: subject, else: connection.strange(what))
        }
    }

    /// The schema that a producer's data of a subject is written with, as ``SchemaRegistrySettings/registration`` says.
    /// - Parameters:
    ///   - schema: The producer's schema; nil if only the registry has one.
    ///   - subject: The subject.
    /// - Returns: The schema with its id.
    /// - Throws: `DionysusError`; see the type's description.
    package func writersSchema(_ schema: RegistrySchema?, of subject: String) async throws -> RegisteredSchema {
        guard settings.registration != .latest else { return try await latestSchema(of: subject) }
        guard let schema else {
            throw DionysusError(
                .declaration,
                "there is no schema to write data of \(subject.printable()) with",
                advice: "give one, or have the latest of the registry used"
            )
        }
        guard settings.registration == .pushed else { return try await register(schema, under: subject) }
        do {
            return try await find(schema, under: subject)
        } catch var error as DionysusError where error.code == .unknownSchema {
            error.advice = "register it with `schemas push`"
            throw error
        }
    }

    /// The latest version of a subject, which is remembered for ``SchemaRegistrySettings/latestLifetime``.
    /// - Parameter subject: The subject.
    /// - Returns: The schema.
    /// - Throws: `DionysusError`; see the type's description.
    package func latestSchema(of subject: String) async throws -> RegisteredSchema {
        try await latest.value(subject) { [self] in try await fetch("latest", of: subject) }
    }

    /// A version of a subject.
    /// - Parameters:
    ///   - version: Which one, from 1.
    ///   - subject: The subject.
    /// - Returns: The schema.
    /// - Throws: `DionysusError`; see the type's description.
    package func schema(version: Int, of subject: String) async throws -> RegisteredSchema {
        try await versions.value(SubjectVersion(subject: subject, version: version)) { [self] in
            try await fetch("\(version)", of: subject)
        }
    }

    private func fetch(_ version: String, of subject: String) async throws -> RegisteredSchema {
        let what = "version \(version) of \(subject.printable()) can't be had"
        let answer = try await connection.send("GET", ["subjects", subject, "versions", version], what)
        guard let schema = RegistrySchema(answer) else { throw connection.strange(what) }
        return try answer.registration(of: schema, under: subject, else: connection.strange(what))
    }

    /// The schema that a message names, with all that it names itself.
    /// - Parameters:
    ///   - id: The schema's id.
    ///   - type: Which language it should be in.
    /// - Returns: The schema.
    /// - Throws: `DionysusError`, with code `unknownSchema`, retriable, if the registry doesn't have it: it may not have got
    ///   to the server that was asked yet.
    package func schema(_ id: SchemaID, type: SchemaType) async throws -> ResolvedSchema {
        let found = try await resolved.value(id) { [self] in try await load(id, type: type) }
        guard found.schema.schema.type == type else {
            throw DionysusError(
                .malformed,
                "the schema \(id) is one of \(found.schema.schema.type.rawValue), not of \(type.rawValue)",
                advice: "check the topic's encoding"
            )
        }
        return found
    }

    /// The schema that a message names, if it has been asked for before.
    /// - Parameter id: The schema's id.
    /// - Returns: The schema, or nil.
    package func knownSchema(_ id: SchemaID) -> ResolvedSchema? { resolved[id] }

    private func load(_ id: SchemaID, type: SchemaType) async throws -> ResolvedSchema {
        let what = "the schema \(id) can't be had"
        let path: [String] =
            switch id {
            case .number(let number): ["schemas", "ids", "\(number)"]
            case .guid(let guid): ["schemas", "guids", guid.uuidString.lowercased()]
            }
        // Of Protobuf the form that needs no parser; registries that don't know it answer with the text.
        let query = type == .protobuf ? [("format", "serialized")] : []
        do {
            let answer = try await connection.send("GET", path, query: query, what)
            guard let schema = RegistrySchema(answer) else { throw connection.strange(what) }
            var number = answer.number("id").flatMap { UInt32(exactly: $0) } ?? 0
            var guid = answer.text("guid").flatMap(UUID.init(uuidString:))
            switch id {
            case .number(let given): number = given
            case .guid(let given): guid = given
            }
            return try await resolve(RegisteredSchema(schema, id: number, guid: guid))
        } catch var error as DionysusError where error.code == .unknownSchema {
            error.isRetriable = true
            throw error
        }
    }

    /// Gathers what a schema names, and what that names.
    /// - Parameter schema: The schema.
    /// - Returns: All of it.
    /// - Throws: `DionysusError`; see the type's description.
    package func resolve(_ schema: RegisteredSchema) async throws -> ResolvedSchema {
        var walk = ReferenceWalk()
        try await gather(schema.schema.references, &walk, depth: 0)
        return ResolvedSchema(schema, references: walk.found)
    }

    private struct ReferenceWalk {
        var found: [(name: String, schema: RegistrySchema)] = []
        var seen: Set<SchemaReference> = []
    }

    private static let maximumReferences = 1_000
    private static let maximumReferenceDepth = 64

    private func gather(_ references: [SchemaReference], _ walk: inout ReferenceWalk, depth: Int) async throws {
        for reference in references where walk.seen.insert(reference).inserted {
            guard depth < Self.maximumReferenceDepth, walk.seen.count <= Self.maximumReferences else {
                throw DionysusError(.malformed, "a schema of the registry names more schemas than can be followed")
            }
            let schema = try await schema(version: reference.version, of: reference.subject).schema
            try await gather(schema.references, &walk, depth: depth + 1)
            walk.found.append((reference.name, schema))
        }
    }

    /// Forgets everything that was asked for.
    func forgetSchemas() {
        registered.removeAll()
        resolved.removeAll()
        versions.removeAll()
        latest.removeAll()
    }

    private var normalization: [(String, String)] { settings.normalizesSchemas ? [("normalize", "true")] : [] }
}

extension RegistrySchema {
    /// The schema as a registry takes it.
    var document: JSON {
        var document: JSON.Object = ["schema": .string(text)]
        // Registries of old know no types, and take everything for Avro.
        if type != .avro { document["schemaType"] = .string(type.rawValue) }
        if !references.isEmpty {
            document["references"] = .array(
                references.map {
                    ["name": .string($0.name), "subject": .string($0.subject), "version": .integer(Int64($0.version))]
                }
            )
        }
        return .object(document)
    }

    /// Reads a registry's answer.
    init?(_ answer: JSON) {
        guard let text = answer.text("schema"), let type = SchemaType(rawValue: answer.text("schemaType") ?? "AVRO")
        else { return nil }
        var references: [SchemaReference] = []
        if case .array(let elements)? = answer["references"] {
            for element in elements {
                guard let name = element.text("name"), let subject = element.text("subject"),
                    let version = element.number("version")
                else { return nil }
                references.append(SchemaReference(name: name, subject: subject, version: version))
            }
        }
        self.init(type, text, references: references)
    }
}

extension JSON {
    func text(_ name: String) -> String? {
        guard case .string(let text)? = self[name] else { return nil }
        return text
    }

    func number(_ name: String) -> Int? {
        guard case .integer(let number)? = self[name] else { return nil }
        return Int(exactly: number)
    }

    /// What a registry says about a schema that it has.
    fileprivate func registration(
        of schema: RegistrySchema,
        under subject: String,
        else error: DionysusError
    ) throws -> RegisteredSchema {
        guard let id = number("id").flatMap({ UInt32(exactly: $0) }) else { throw error }
        return RegisteredSchema(
            schema,
            id: id,
            guid: text("guid").flatMap(UUID.init(uuidString:)),
            subject: subject,
            version: number("version")
        )
    }
}
