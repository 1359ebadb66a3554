import Dionysus
import Foundation

/// Compares a value with a JSON Schema.
struct JSONSchemaCheck {
    /// Other documents, by what a `$ref` calls them.
    let documents: [String: JSON]

    private static let maximumDepth = 256

    /// Why a value doesn't fit; the path is collected on the way outwards.
    struct Misfit: Error {
        var path: [String] = []
        let reason: String

        init(_ reason: String) { self.reason = reason }

        func within(_ step: String) -> Misfit {
            var misfit = self
            misfit.path.append(step)
            return misfit
        }
    }

    /// A schema, and the document that its references are in.
    private struct Place {
        let schema: JSON
        let root: JSON
        let steps: Steps

        init(schema: JSON, root: JSON, steps: Steps) {
            self.schema = schema
            self.root = root
            self.steps = steps
        }

        /// A part of a schema.
        init(_ schema: JSON, in place: Place) { self.init(schema: schema, root: place.root, steps: place.steps) }
    }

    /// How many schemas a value may still be compared with.
    ///
    /// Combinations of schemas that name themselves double with each level.
    private final class Steps {
        var left: Int

        init(_ value: JSON) { left = 100_000 + 100 * value.count }
    }

    // MARK: Checks

    /// Checks a value.
    /// - Throws: Why it doesn't fit.
    func run(_ value: JSON, _ schema: JSON) throws(Misfit) {
        try check(value, Place(schema: schema, root: schema, steps: Steps(value)), depth: 0)
    }

    private func check(_ value: JSON, _ place: Place, depth: Int) throws(Misfit) {
        guard depth < Self.maximumDepth else { throw Misfit("schemas lead over \(Self.maximumDepth) levels") }
        place.steps.left -= 1
        guard place.steps.left > 0 else { throw Misfit("the schema takes too many steps") }
        guard case .object(let schema) = place.schema else {
            if place.schema == .bool(false) { throw Misfit("nothing is allowed here") }
            return
        }
        if case .string(let reference)? = schema["$ref"] {
            try check(value, target(of: reference, place), depth: depth + 1)
        }
        if let type = schema["type"], !Self.has(value, type) {
            throw Misfit("\(value.kind) stands where \(Self.types(type)) is wanted")
        }
        if case .array(let values)? = schema["enum"], !values.contains(where: { Self.isSame($0, value) }) {
            throw Misfit("it is none of the values that are allowed")
        }
        if let constant = schema["const"], !Self.isSame(constant, value) {
            throw Misfit("it isn't the one value that is allowed")
        }
        switch value {
        case .object(let object): try check(object, schema, place, depth: depth)
        case .array(let elements): try check(elements, schema, place, depth: depth)
        case .string(let text): try check(text, schema)
        case .integer, .number: try check(number: value, schema)
        case .null, .bool: break
        }
        try checkCombinations(value, schema, place, depth: depth)
    }

    private func check(_ object: JSON.Object, _ schema: JSON.Object, _ place: Place, depth: Int) throws(Misfit) {
        if case .array(let names)? = schema["required"] {
            for case .string(let name) in names where object[name] == nil {
                throw Misfit("\(name.printable()) is missing")
            }
        }
        try checkSize(object.members.count, schema, "minProperties", "maxProperties", "members")
        let properties = schema["properties"]
        var patterns: [(Regex<AnyRegexOutput>, JSON)] = []
        if case .object(let members)? = schema["patternProperties"] {
            for member in members.members { patterns.append((try regex(member.name), member.value)) }
        }
        for member in object.members {
            do throws(Misfit) {
                var isKnown = false
                if let known = properties?[member.name] {
                    isKnown = true
                    try check(member.value, Place(known, in: place), depth: depth + 1)
                }
                for (pattern, known) in patterns where member.name.contains(pattern) {
                    isKnown = true
                    try check(member.value, Place(known, in: place), depth: depth + 1)
                }
                if !isKnown, let others = schema["additionalProperties"] {
                    try check(member.value, Place(others, in: place), depth: depth + 1)
                }
            } catch {
                throw error.within(".\(member.name.printable())")
            }
        }
    }

    private func check(_ elements: [JSON], _ schema: JSON.Object, _ place: Place, depth: Int) throws(Misfit) {
        try checkSize(elements.count, schema, "minItems", "maxItems", "elements")
        if schema["uniqueItems"] == .bool(true), Set(elements).count < elements.count {
            throw Misfit("an element stands twice in a list of different ones")
        }
        var first: [JSON] = []
        var others = schema["items"]
        if case .array(let list)? = schema["prefixItems"] {
            first = list
        } else if case .array(let list)? = others {
            first = list
            others = schema["additionalItems"]
        }
        for (index, element) in elements.enumerated() {
            guard let schema = index < first.count ? first[index] : others else { continue }
            do throws(Misfit) {
                try check(element, Place(schema, in: place), depth: depth + 1)
            } catch {
                throw error.within("[\(index)]")
            }
        }
    }

    private func check(_ text: String, _ schema: JSON.Object) throws(Misfit) {
        if schema["minLength"] != nil || schema["maxLength"] != nil {
            try checkSize(text.unicodeScalars.count, schema, "minLength", "maxLength", "characters")
        }
        if case .string(let pattern)? = schema["pattern"] {
            let pattern = try regex(pattern)
            guard text.contains(pattern) else { throw Misfit("the text doesn't have the form that is wanted") }
        }
    }

    private func check(number: JSON, _ schema: JSON.Object) throws(Misfit) {
        guard let value = number.double else { return }
        if let bound = schema["minimum"]?.double {
            let isOpen = schema["exclusiveMinimum"] == .bool(true)
            guard isOpen ? value > bound : value >= bound else { throw Misfit("the number is too small") }
        }
        if let bound = schema["exclusiveMinimum"]?.double, value <= bound { throw Misfit("the number is too small") }
        if let bound = schema["maximum"]?.double {
            let isOpen = schema["exclusiveMaximum"] == .bool(true)
            guard isOpen ? value < bound : value <= bound else { throw Misfit("the number is too large") }
        }
        if let bound = schema["exclusiveMaximum"]?.double, value >= bound { throw Misfit("the number is too large") }
        if let unit = schema["multipleOf"]?.double, unit > 0 {
            let count = value / unit
            guard (count - count.rounded()).magnitude <= 1e-9 * max(count.magnitude, 1) else {
                throw Misfit("the number is no multiple of what it should be one of")
            }
        }
    }

    private func checkCombinations(
        _ value: JSON,
        _ schema: JSON.Object,
        _ place: Place,
        depth: Int
    ) throws(Misfit) {
        func fits(_ schema: JSON) -> Bool {
            do throws(Misfit) {
                try check(value, Place(schema, in: place), depth: depth + 1)
                return true
            } catch {
                return false
            }
        }
        if case .array(let all)? = schema["allOf"] {
            for schema in all { try check(value, Place(schema, in: place), depth: depth + 1) }
        }
        if case .array(let any)? = schema["anyOf"], !any.contains(where: fits) {
            throw Misfit("it fits none of the schemas, of which it should fit one")
        }
        if case .array(let one)? = schema["oneOf"] {
            let count = one.count(where: fits)
            guard count == 1 else {
                throw Misfit("it fits \(count) of the schemas, of which it should fit exactly one")
            }
        }
        if let not = schema["not"], fits(not) { throw Misfit("it fits a schema that it should not fit") }
        if let condition = schema["if"], let next = schema[fits(condition) ? "then" : "else"] {
            try check(value, Place(next, in: place), depth: depth + 1)
        }
    }

    private func checkSize(
        _ count: Int,
        _ schema: JSON.Object,
        _ least: String,
        _ most: String,
        _ what: String
    ) throws(Misfit) {
        if let least = schema[least]?.double, Double(count) < least { throw Misfit("it has too few \(what): \(count)") }
        if let most = schema[most]?.double, Double(count) > most { throw Misfit("it has too many \(what): \(count)") }
    }

    // MARK: Words

    private func regex(_ pattern: String) throws(Misfit) -> Regex<AnyRegexOutput> {
        do { return try Regex(pattern) } catch { throw Misfit("the schema has a pattern that can't be read") }
    }

    private static func types(_ type: JSON) -> String {
        switch type {
        case .string(let word): word
        case .array(let words): words.map(types).joined(separator: " or ")
        default: "no type"
        }
    }

    private static func has(_ value: JSON, _ type: JSON) -> Bool {
        if case .array(let types) = type { return types.contains { has(value, $0) } }
        guard case .string(let word) = type else { return true }
        return switch (word, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object),
            ("number", .integer), ("number", .number), ("integer", .integer):
            true
        case ("integer", .number(let digits)): Double(digits).map { $0.rounded() == $0 } ?? false
        default: false
        }
    }

    private static func isSame(_ left: JSON, _ right: JSON) -> Bool {
        if left == right { return true }
        guard let one = left.double, let other = right.double else { return false }
        return one == other
    }

    /// What a reference leads to: `#/$defs/x`, `#`, or a document with such a place in it.
    private func target(of reference: String, _ place: Place) throws(Misfit) -> Place {
        let parts = reference.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var root = place.root
        if let name = parts.first, !name.isEmpty {
            guard let document = documents[name] ?? documents[reference] else {
                throw Misfit("the schema names a document that isn't there")
            }
            root = document
        }
        var schema = root
        let steps = parts.count > 1 ? parts[1].split(separator: "/").map(String.init) : []
        for step in steps {
            let name = (step.removingPercentEncoding ?? step).replacing("~1", with: "/").replacing("~0", with: "~")
            let next: JSON? =
                if case .array(let elements) = schema {
                    Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
                } else {
                    schema[name]
                }
            guard let next else { throw Misfit("the schema names a part of itself that isn't there") }
            schema = next
        }
        return Place(schema: schema, root: root, steps: place.steps)
    }
}

extension JSON {
    /// How many values it is made of.
    fileprivate var count: Int {
        switch self {
        case .array(let elements): elements.reduce(1) { $0 + $1.count }
        case .object(let object): object.members.reduce(1) { $0 + $1.value.count }
        default: 1
        }
    }

    /// The number that it is.
    fileprivate var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let digits): Double(digits)
        default: nil
        }
    }
}
