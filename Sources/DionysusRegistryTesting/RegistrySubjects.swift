import Crypto
import Dionysus
import DionysusSchemas

import struct Foundation.UUID

/// Subjects and their versions.
extension RegistryContents {

    func names(_ query: RegistryQuery) -> [String] {
        let prefix = query.values["subjectPrefix"].flatMap { $0.isEmpty ? nil : $0 } ?? ""
        return
            subjects.filter { name, versions in
                let isThere = versions.contains { !$0.isDeleted }
                let isWanted = query.isSet("deletedOnly") ? !isThere : isThere || query.isSet("deleted")
                return isWanted && name.hasPrefix(prefix)
            }
            .map(\.key).sorted()
    }

    func noSubject(_ subject: String) -> RegistryAnswer {
        RegistryAnswer(404, 40401, "Subject '\(subject)' not found.")
    }

    func versions(_ subject: String, _ query: RegistryQuery) throws(RegistryAnswer) -> [Version] {
        let versions = (subjects[subject] ?? []).filter { !$0.isDeleted || query.isSet("deleted") }
        guard !versions.isEmpty else { throw noSubject(subject) }
        return versions
    }

    func list(_ subject: String, _ query: RegistryQuery) throws(RegistryAnswer) -> RegistryAnswer {
        RegistryAnswer(.array(try versions(subject, query).map { .integer(Int64($0.number)) }))
    }

    func version(
        _ subject: String,
        _ text: String,
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> Version {
        let isLatest = text == "latest" || text == "-1"
        guard isLatest || Int(text).map({ $0 > 0 }) == true else {
            throw RegistryAnswer(
                422,
                42202,
                "The specified version '\(text)' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
            )
        }
        let versions = try versions(subject, query)
        guard let version = isLatest ? versions.last : versions.first(where: { "\($0.number)" == text }) else {
            throw RegistryAnswer(404, 40402, "Version \(text) not found.")
        }
        return version
    }

    func referencing(_ subject: String, _ number: Int?) -> [Int] {
        let used = Set(subjects.values.joined().filter { !$0.isDeleted }.map { Int($0.id) })
        return used.sorted()
            .filter { id in
                schemas[id - 1].schema.references
                    .contains {
                        $0.subject == subject && (number == nil || $0.version == number)
                    }
            }
    }

    func find(
        _ subject: String,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        let versions = try versions(subject, query)
        let schema = try parse(body).schema
        guard let version = versions.last(where: { schemas[Int($0.id) - 1].schema == schema }) else {
            throw RegistryAnswer(404, 40403, "Schema not found")
        }
        return RegistryAnswer(.object(describe(subject, version)))
    }

    mutating func register(_ subject: String, _ body: [UInt8]) throws(RegistryAnswer) -> RegistryAnswer {
        guard !subject.isEmpty, subject.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw RegistryAnswer(422, 42208, "The specified subject '\(subject)' is not a valid.")
        }
        let (schema, parsed) = try parse(body)
        if let known = subjects[subject]?.last(where: { !$0.isDeleted && schemas[Int($0.id) - 1].schema == schema }) {
            return RegistryAnswer(.object(describe(subject, known)))
        }
        let mode = modes[subject] ?? mode
        guard mode != "READONLY" && mode != "READONLY_OVERRIDE" else {
            throw RegistryAnswer(422, 42205, "Subject \(subject) is in read-only mode")
        }
        let faults = incompatibilities(parsed, subject, level: levels[subject] ?? level)
        guard faults.isEmpty else {
            throw RegistryAnswer(
                409,
                409,
                "Schema being registered is incompatible with an earlier schema for subject \"\(subject)\", details: [\(faults.joined(separator: ", "))]"
            )
        }
        let id: UInt32
        if let known = ids[schema] {
            id = known
        } else {
            schemas.append(Stored(schema: schema, parsed: parsed, guid: Self.guid(schema)))
            id = UInt32(schemas.count)
            ids[schema] = id
        }
        let version = Version(number: (subjects[subject]?.last?.number ?? 0) + 1, id: id)
        subjects[subject, default: []].append(version)
        return RegistryAnswer(.object(describe(subject, version)))
    }

    static func guid(_ schema: RegistrySchema) -> UUID {
        let text = "\(schema.type.rawValue) \(schema.text) \(schema.references)"
        var value = UUID().uuid
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: Array(Insecure.MD5.hash(data: Array(text.utf8)))) }
        return UUID(uuid: value)
    }

    mutating func deleteSubject(
        _ subject: String,
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        guard let all = subjects[subject] else { throw noSubject(subject) }
        guard referencing(subject, nil).isEmpty else { throw referenced(subject, nil) }
        let live = all.filter { !$0.isDeleted }
        if query.isSet("permanent") {
            guard live.isEmpty else {
                throw RegistryAnswer(
                    404,
                    40405,
                    "Subject '\(subject)' was not deleted first before being permanently deleted"
                )
            }
            subjects[subject] = nil
            return RegistryAnswer(.array(all.map { .integer(Int64($0.number)) }))
        }
        guard !live.isEmpty else {
            throw RegistryAnswer(
                404,
                40404,
                "Subject '\(subject)' was soft deleted. Set permanent=true to delete permanently"
            )
        }
        subjects[subject] = all.map { Version(number: $0.number, id: $0.id, isDeleted: true) }
        return RegistryAnswer(.array(live.map { .integer(Int64($0.number)) }))
    }

    private func referenced(_ subject: String, _ number: Int?) -> RegistryAnswer {
        RegistryAnswer(
            422,
            42206,
            "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=\(subject),version=\(number ?? -1)}."
        )
    }

    mutating func deleteVersion(
        _ subject: String,
        _ text: String,
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        var all = query
        all.include("deleted")
        let version = try version(subject, text, text == "latest" ? query : all)
        guard referencing(subject, version.number).isEmpty else { throw referenced(subject, version.number) }
        let place = "Subject '\(subject)' Version \(version.number)"
        if query.isSet("permanent") {
            guard version.isDeleted else {
                throw RegistryAnswer(404, 40407, "\(place) was not deleted first before being permanently deleted")
            }
            subjects[subject]?.removeAll { $0.number == version.number }
            if subjects[subject]?.isEmpty == true { subjects[subject] = nil }
        } else {
            guard !version.isDeleted else {
                throw RegistryAnswer(
                    404,
                    40406,
                    "\(place) was soft deleted. Set permanent=true to delete permanently"
                )
            }
            subjects[subject] = subjects[subject]?
                .map {
                    Version(number: $0.number, id: $0.id, isDeleted: $0.isDeleted || $0.number == version.number)
                }
        }
        return RegistryAnswer(.integer(Int64(version.number)))
    }
}
