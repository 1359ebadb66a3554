import Dionysus
import DionysusSchemas

/// The JSON Schema of the file, which editors complete and check it by.
package enum FileSchema {
    /// The schema, indented.
    package static var text: String {
        guard case .object(var schema) = Shape.keys(FileKeys.file).schema else { return "" }
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = "A declaration of Dionysus"
        return JSON.object(schema).indentedText
    }
}

extension Shape {
    /// Values may be variables, so that numbers and words may be texts too.
    fileprivate var schema: JSON {
        switch self {
        case .text: ["type": ["string", "number", "boolean"]]
        case .integer(let range):
            .object([
                "anyOf": [
                    .object([
                        "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
                        "maximum": .integer(Int64(clamping: range.upperBound)),
                    ]), Self.variable,
                ]
            ])
        case .flag: ["anyOf": [["type": "boolean"], Self.variable]]
        case .choice(let words): ["anyOf": [.object(["enum": .array(words.map(JSON.string))]), Self.variable]]
        case .duration:
            ["anyOf": [["type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$"], Self.variable]]
        case .list(let shape): .object(["type": "array", "items": shape.schema])
        case .named(_, let shape):
            .object(["type": "object", "additionalProperties": .object(["anyOf": [shape.schema, ["type": "null"]]])])
        case .keys(let table): table.schema
        case .either(let shapes): .object(["anyOf": .array(shapes.map(\.schema))])
        }
    }

    private static let variable: JSON = ["type": "string", "pattern": "\\$\\{"]
}

extension KeyTable {
    fileprivate var schema: JSON {
        var properties = JSON.Object()
        for key in keys {
            guard case .object(var schema) = key.shape.schema else { continue }
            schema["description"] = .string(key.summary)
            properties[key.name] = .object(schema)
        }
        var schema: JSON.Object = [
            "type": "object", "additionalProperties": false, "properties": .object(properties),
        ]
        let required = keys.filter(\.isRequired).map { JSON.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }
}
