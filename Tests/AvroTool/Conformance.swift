import Dionysus
import DionysusSchemas
import Foundation

/// Checks the data files of Apache Avro and Deimos in a folder.
struct Conformance {
    let folder: URL

    private struct Failure: Error {
        let message: String
    }

    /// - Returns: Whether all checks pass.
    func run() -> Bool {
        var ok = true
        for (name, check) in [
            ("canonical forms and fingerprints", canonicalForms), ("object container files", containers),
            ("single objects", singleObjects), ("schemas", schemas), ("schemas by name", schemasByName),
        ] {
            do {
                print("conformance: \(name): \(try check())")
            } catch {
                ok = false
                print("conformance: \(name): FAILED: \((error as? Failure)?.message ?? "\(error)")")
            }
        }
        return ok
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }
    private func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    private func files(_ folder: String, _ suffixes: [String]) throws -> [String] {
        guard let names = FileManager.default.enumerator(atPath: self.folder.appendingPathComponent(folder).path) else {
            throw Failure(message: "there is no folder \(folder) in \(self.folder.path)")
        }
        let found = names.compactMap { $0 as? String }.filter { name in suffixes.contains { name.hasSuffix($0) } }
            .sorted()
        guard !found.isEmpty else { throw Failure(message: "\(folder) has no file of \(suffixes)") }
        return found.map { "\(folder)/\($0)" }
    }

    private func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
        if !condition { throw Failure(message: message()) }
    }

    private func canonicalForms() throws -> String {
        var input = ""
        var isMultiline = false
        var schema: AvroSchema?
        var (forms, fingerprints) = (0, 0)
        for line in try text("avro/schema-tests.txt").split(separator: "\n", omittingEmptySubsequences: false) {
            if isMultiline {
                isMultiline = line != "INPUT"
                if isMultiline { input += "\(line)\n" }
            } else if line.hasPrefix("<<INPUT") {
                input = String(line.dropFirst(7)).trimmingCharacters(in: .whitespaces)
                isMultiline = input.isEmpty
            } else if line.hasPrefix("<<canonical ") {
                let parsed = try AvroSchema(parsing: input)
                let form = line.dropFirst(12)
                try expect(parsed.canonicalForm == form, "\(input) has the form \(parsed.canonicalForm), not \(form)")
                schema = parsed
                forms += 1
            } else if line.hasPrefix("<<fingerprint "), let expected = Int64(line.dropFirst(14)), let schema {
                try expect(
                    Int64(bitPattern: schema.crc64) == expected,
                    "\(input) has the fingerprint \(Int64(bitPattern: schema.crc64)), not \(expected)"
                )
                fingerprints += 1
            }
        }
        return "\(forms) forms, \(fingerprints) fingerprints"
    }

    private func containers() throws -> String {
        let weather = try text("avro/weather.json").split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) }
        var counts: [String] = []
        for name in try files("avro", [".avro"]) {
            let file = try AvroContainer(parsing: bytes(name))
            let documents = try file.documents()
            counts.append("\(name.dropFirst(5)) \(documents.count)")
            if name.hasSuffix("weather-sorted.avro") {
                func ordered(_ documents: [JSON]) -> [String] { documents.map(\.text).sorted() }
                try expect(ordered(documents) == ordered(weather), "\(name) does not hold what weather.json says")
            } else if name.contains("/weather") {
                try expect(documents == weather, "\(name) does not hold what weather.json says")
            } else if name.hasSuffix("schemas-simple-data.avro") {
                try expect(
                    documents == ["hello", "bonjour", "guten tag"].map { ["text": .string($0)] },
                    "\(name) holds \(documents)"
                )
                let schema = try AvroSchema(parsing: text("avro/schemas-simple-schema.json"))
                try expect(schema.canonicalForm == file.schema.canonicalForm, "\(name) has another schema")
            }
            // Encoding it again gives the same.
            for codec in AvroCodec.allCases {
                var writer = try AvroContainerWriter(schema: file.schema, codec: codec)
                let values = try file.values()
                for value in values { try writer.append(value) }
                let again = try AvroContainer(parsing: writer.finish())
                try expect(
                    try again.values() == values,
                    "\(name) is another when it is written with the codec \(codec)"
                )
            }
        }
        return counts.joined(separator: ", ")
    }

    private func singleObjects() throws -> String {
        let schema = try AvroSchema(parsing: text("avro/messageV1-test_schema.avsc"))
        let message = try bytes("avro/messageV1-test_message.bin")
        let parts = try AvroSingleObject.parts(of: message)
        try expect(parts.fingerprint == schema.crc64, "the message has another fingerprint than its schema")
        let value = try schema.decode(parts.datum)
        try expect(value["name"] == .string("Bill") && value["id"] == .long(42), "the message holds \(value)")
        try expect(try AvroSingleObject.encode(value, with: schema) == message, "the message is written otherwise")
        return "1"
    }

    private func schemas() throws -> String {
        let names =
            try files("avro", [".avsc", ".json"]).filter { !$0.hasSuffix("weather.json") } + files("deimos", [".avsc"])
        for name in names {
            do {
                let schema = try AvroSchema(parsing: text(name), .lenient)
                let form = try AvroSchema(parsing: schema.canonicalForm, .lenient).canonicalForm
                try expect(form == schema.canonicalForm, "\(name) has a form that has another")
                try expect(
                    try AvroSchema(schema.document, .lenient) == schema,
                    "\(name) has a document that is another schema"
                )
                _ = try AvroPlan(from: schema)
            } catch let error as DionysusError {
                throw Failure(message: "\(name): \(error)")
            }
        }
        return "\(names.count)"
    }

    private func schemasByName() throws -> String {
        let root = folder.appendingPathComponent("deimos/schemas")
        let set = AvroSchemas(folder: root.path)
        let names = try files("deimos/schemas", [".avsc"])
            .map { String($0.dropFirst("deimos/schemas/".count).dropLast(".avsc".count)).replacing("/", with: ".") }
        for name in names { _ = try set.schema(named: name, .lenient) }
        return "\(names.count)"
    }
}
