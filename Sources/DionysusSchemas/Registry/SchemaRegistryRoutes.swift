import Dionysus

/// What people and tools ask a registry for; nothing of it is remembered.
extension SchemaRegistryClient {
    /// The subjects, in the registry's order.
    /// - Parameter includesDeleted: Whether to list those that are deleted and can be had back.
    /// - Returns: Their names.
    /// - Throws: `DionysusError`; see the type's description.
    package func subjects(includesDeleted: Bool = false) async throws -> [String] {
        let what = "the schema registry's subjects can't be listed"
        return try texts(await connection.send("GET", ["subjects"], query: deleted(includesDeleted), what), what)
    }

    /// The versions of a subject.
    /// - Parameters:
    ///   - subject: The subject.
    ///   - includesDeleted: Whether to list those that are deleted and can be had back.
    /// - Returns: Their numbers.
    /// - Throws: `DionysusError`; see the type's description.
    package func versions(of subject: String, includesDeleted: Bool = false) async throws -> [Int] {
        let what = "the versions of \(subject.printable()) can't be listed"
        let path = ["subjects", subject, "versions"]
        return try numbers(await connection.send("GET", path, query: deleted(includesDeleted), what), what)
    }

    /// The ids of schemas that name a version of a subject.
    /// - Parameters:
    ///   - version: The version.
    ///   - subject: The subject.
    /// - Returns: The ids.
    /// - Throws: `DionysusError`; see the type's description.
    package func referencingSchemas(version: Int, of subject: String) async throws -> [Int] {
        let what = "what names \(subject.printable()) can't be listed"
        return try numbers(
            await connection.send("GET", ["subjects", subject, "versions", "\(version)", "referencedby"], what),
            what
        )
    }

    /// The languages that the registry knows.
    /// - Returns: Their names.
    /// - Throws: `DionysusError`; see the type's description.
    package func schemaTypes() async throws -> [String] {
        let what = "the schema registry's types can't be listed"
        return try texts(await connection.send("GET", ["schemas", "types"], what), what)
    }

    /// The subjects that have a schema.
    /// - Parameter id: The schema.
    /// - Returns: Their names.
    /// - Throws: `DionysusError`; see the type's description.
    package func subjects(of id: UInt32) async throws -> [String] {
        let what = "the subjects of the schema \(id) can't be listed"
        return try texts(await connection.send("GET", ["schemas", "ids", "\(id)", "subjects"], what), what)
    }

    /// The registry's contexts.
    /// - Returns: Their names.
    /// - Throws: `DionysusError`; see the type's description.
    package func contexts() async throws -> [String] {
        let what = "the schema registry's contexts can't be listed"
        return try texts(await connection.send("GET", ["contexts"], what), what)
    }

    /// What keeps a schema from being the next version of a subject, in the registry's words.
    /// - Parameters:
    ///   - schema: The schema.
    ///   - subject: The subject.
    ///   - version: The version to compare with; nil for those that the subject's compatibility names.
    /// - Returns: The reasons; none if it is compatible, or the subject is new.
    /// - Throws: `DionysusError`, with code `schemaRejected` for a schema that is none.
    package func incompatibilities(
        of schema: RegistrySchema,
        with subject: String,
        version: Int? = nil
    ) async throws -> [String] {
        let what = "the compatibility with \(subject.printable()) can't be checked"
        let path = ["compatibility", "subjects", subject, "versions"] + (version.map { ["\($0)"] } ?? [])
        let answer: JSON
        do {
            answer = try await connection.send("POST", path, query: [("verbose", "true")], body: schema.document, what)
        } catch let error as DionysusError where error.code == .unknownSchema && version == nil {
            return []
        }
        guard case .bool(let isCompatible)? = answer["is_compatible"] else { throw connection.strange(what) }
        guard !isCompatible else { return [] }
        let messages: [String]
        if case .array(let elements)? = answer["messages"] {
            messages = elements.compactMap { if case .string(let text) = $0 { text.printable() } else { nil } }
        } else {
            messages = []
        }
        return messages.isEmpty ? ["it is incompatible with an earlier version"] : messages
    }

    /// Which versions have to be compatible: `BACKWARD`, `FULL_TRANSITIVE`, `NONE`.
    /// - Parameter subject: The subject; nil for all that have none of their own.
    /// - Returns: The level.
    /// - Throws: `DionysusError`; see the type's description.
    package func compatibility(of subject: String? = nil) async throws -> String {
        let what = "the compatibility level can't be had"
        let query = subject == nil ? [] : [("defaultToGlobal", "true")]
        let answer = try await connection.send("GET", ["config"] + [subject].compactMap(\.self), query: query, what)
        guard let level = answer.text("compatibilityLevel") ?? answer.text("compatibility") else {
            throw connection.strange(what)
        }
        return level
    }

    /// Sets which versions have to be compatible.
    /// - Parameters:
    ///   - level: The level; nil to have the subject follow the registry's own.
    ///   - subject: The subject; nil for all that have none of their own.
    /// - Throws: `DionysusError`; see the type's description.
    package func setCompatibility(_ level: String?, of subject: String? = nil) async throws {
        let path = ["config"] + [subject].compactMap(\.self)
        let what = "the compatibility level can't be set"
        if let level {
            _ = try await connection.send("PUT", path, body: ["compatibility": .string(level)], what)
        } else {
            _ = try await connection.send("DELETE", path, what)
        }
    }

    /// What may be done: `READWRITE`, `READONLY`, `READONLY_OVERRIDE`, `IMPORT`.
    /// - Parameter subject: The subject; nil for all that have none of their own.
    /// - Returns: The mode.
    /// - Throws: `DionysusError`; see the type's description.
    package func mode(of subject: String? = nil) async throws -> String {
        let what = "the mode can't be had"
        let query = subject == nil ? [] : [("defaultToGlobal", "true")]
        let answer = try await connection.send("GET", ["mode"] + [subject].compactMap(\.self), query: query, what)
        guard let mode = answer.text("mode") else { throw connection.strange(what) }
        return mode
    }

    /// Sets what may be done.
    /// - Parameters:
    ///   - mode: The mode; nil to have the subject follow the registry's own.
    ///   - subject: The subject; nil for all that have none of their own.
    /// - Throws: `DionysusError`; see the type's description.
    package func setMode(_ mode: String?, of subject: String? = nil) async throws {
        let path = ["mode"] + [subject].compactMap(\.self)
        let what = "the mode can't be set"
        if let mode {
            _ = try await connection.send("PUT", path, body: ["mode": .string(mode)], what)
        } else {
            _ = try await connection.send("DELETE", path, what)
        }
    }

    /// Deletes a subject, or one of its versions.
    ///
    /// What is deleted can be had back by registering it again, until it is deleted permanently, which is the second step.
    /// - Parameters:
    ///   - subject: The subject.
    ///   - version: The version; nil for all.
    ///   - isPermanent: Whether nothing remains of it.
    /// - Throws: `DionysusError`; see the type's description.
    package func delete(subject: String, version: Int? = nil, isPermanent: Bool = false) async throws {
        let path = ["subjects", subject] + (version.map { ["versions", "\($0)"] } ?? [])
        _ = try await connection.send(
            "DELETE",
            path,
            query: isPermanent ? [("permanent", "true")] : [],
            "\(subject.printable()) can't be deleted"
        )
        forgetSchemas()
    }

    private func deleted(_ included: Bool) -> [(String, String)] { included ? [("deleted", "true")] : [] }

    private func texts(_ answer: JSON, _ what: String) throws -> [String] {
        guard case .array(let elements) = answer else { throw connection.strange(what) }
        return try elements.map {
            guard case .string(let text) = $0 else { throw connection.strange(what) }
            return text
        }
    }

    private func numbers(_ answer: JSON, _ what: String) throws -> [Int] {
        guard case .array(let elements) = answer else { throw connection.strange(what) }
        return try elements.map {
            guard case .integer(let number) = $0 else { throw connection.strange(what) }
            return Int(number)
        }
    }
}
