import Dionysus

/// Which schemas a subject takes: compatibility and modes.
extension RegistryContents {

    func incompatibilities(
        _ schema: ComparableSchema,
        _ subject: String,
        level: String,
        only number: Int? = nil
    ) -> [String] {
        guard level != "NONE" else { return [] }
        var versions = (subjects[subject] ?? []).filter { !$0.isDeleted }
        if let number {
            versions = versions.filter { $0.number == number }
        } else if !level.hasSuffix("_TRANSITIVE") {
            versions = versions.suffix(1)
        }
        return versions.flatMap { version in
            let earlier = schemas[Int(version.id) - 1].parsed
            var faults: [String] = []
            if !level.hasPrefix("FORWARD") {
                faults += schema.incompatibilities(reading: earlier)
                    .map { "\($0) (the new schema reads version \(version.number))" }
            }
            if !level.hasPrefix("BACKWARD") {
                faults += earlier.incompatibilities(reading: schema)
                    .map { "\($0) (version \(version.number) reads the new schema)" }
            }
            return faults
        }
    }

    func compare(
        _ subject: String,
        _ text: String?,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        let parsed = try parse(body).parsed
        let number: Int? = if let text { try version(subject, text, query).number } else { nil }
        let faults = incompatibilities(parsed, subject, level: levels[subject] ?? level, only: number)
        var document: JSON.Object = ["is_compatible": .bool(faults.isEmpty)]
        if query.isSet("verbose") { document["messages"] = .array(faults.map(JSON.string)) }
        return RegistryAnswer(.object(document))
    }

    mutating func config(
        _ method: String,
        _ subject: String?,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        switch method {
        case "GET":
            guard let subject else { return RegistryAnswer(["compatibilityLevel": .string(level)]) }
            guard let own = levels[subject] ?? (query.isSet("defaultToGlobal") ? level : nil) else {
                throw RegistryAnswer(
                    404,
                    40408,
                    "Subject '\(subject)' does not have subject-level compatibility configured"
                )
            }
            return RegistryAnswer(["compatibilityLevel": .string(own)])
        case "PUT":
            guard case .string(let word)? = (try? JSON(parsing: body))?["compatibility"], Self.levels.contains(word)
            else {
                throw RegistryAnswer(
                    422,
                    42203,
                    "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"
                )
            }
            if let subject { levels[subject] = word } else { level = word }
            return RegistryAnswer(["compatibility": .string(word)])
        case "DELETE":
            let old = subject.map { levels[$0] } ?? level
            guard let old else { throw noSubject(subject ?? "") }
            if let subject { levels[subject] = nil } else { level = "BACKWARD" }
            return RegistryAnswer(["compatibilityLevel": .string(old)])
        default: throw RegistryAnswer(405, 405, "HTTP 405 Method Not Allowed")
        }
    }

    mutating func mode(
        _ method: String,
        _ subject: String?,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        switch method {
        case "GET":
            guard let subject else { return RegistryAnswer(["mode": .string(mode)]) }
            guard let own = modes[subject] ?? (query.isSet("defaultToGlobal") ? mode : nil) else {
                throw RegistryAnswer(404, 40409, "Subject '\(subject)' does not have subject-level mode configured")
            }
            return RegistryAnswer(["mode": .string(own)])
        case "PUT":
            guard case .string(let word)? = (try? JSON(parsing: body))?["mode"], Self.modes.contains(word) else {
                throw RegistryAnswer(
                    422,
                    42204,
                    "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT"
                )
            }
            if let subject { modes[subject] = word } else { mode = word }
            return RegistryAnswer(["mode": .string(word)])
        case "DELETE":
            guard let subject, let old = modes.removeValue(forKey: subject) else { throw noSubject(subject ?? "") }
            return RegistryAnswer(["mode": .string(old)])
        default: throw RegistryAnswer(405, 405, "HTTP 405 Method Not Allowed")
        }
    }
}
