import Dionysus

/// The OpenAPI document of the routes for programs, made of the same list as the router.
enum OpenAPI {
    static func document(_ system: ObservedSystem, basePath: String) -> JSON {
        var paths = JSON.Object()
        for endpoint in Endpoint.all
        where endpoint.surface == .api || endpoint.surface == .events || endpoint.path == "/ping" {
            var methods: JSON.Object = if case .object(let known)? = paths[endpoint.path] { known } else { [:] }
            methods[endpoint.method.rawValue.lowercased()] = operation(endpoint)
            paths[endpoint.path] = .object(methods)
        }
        return .object([
            "openapi": "3.1.0",
            "info": .object([
                "title": .string("\(system.name): Dionysus"),
                "version": .string(system.version.isEmpty ? "0" : system.version),
                "description": "What the console shows and does, for programs.",
            ]),
            "servers": .array([.object(["url": .string(basePath.isEmpty ? "/" : basePath)])]),
            "security": .array([.object(["token": .array([])]), .object([:])]),
            "paths": .object(paths),
            "components": .object([
                "securitySchemes": .object([
                    "token": .object(["type": "http", "scheme": "bearer"])
                ]),
                "schemas": .object([
                    "Error": .object([
                        "type": "object", "required": .array(["error", "message"]),
                        "properties": .object([
                            "error": .object(["const": .bool(true)]), "message": .object(["type": "string"]),
                            "code": .object(["type": "string"]),
                        ]),
                    ])
                ]),
            ]),
        ])
    }

    private static func operation(_ endpoint: Endpoint) -> JSON {
        let names = endpoint.path.split(separator: "/").filter { $0.hasPrefix("{") }
            .map { String($0.dropFirst().dropLast()) }
        let inPath = names.map { name in
            JSON.object([
                "name": .string(name), "in": "path", "required": .bool(true), "schema": .object(["type": "string"]),
            ])
        }
        let inQuery = endpoint.query.map { parameter in
            JSON.object([
                "name": .string(parameter.name), "in": "query", "description": .string(parameter.meaning),
                "required": .bool(parameter.isRequired), "schema": schema(parameter.kind),
            ])
        }
        let id = "\(endpoint.method.rawValue.lowercased())\(endpoint.path)"
            .map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        var operation: JSON.Object = [
            "operationId": .string(id), "summary": .string(endpoint.summary),
            "description": .string("Needs the role `\(endpoint.role.rawValue)`."),
            "parameters": .array(inPath + inQuery),
        ]
        if !endpoint.body.isEmpty {
            let properties = endpoint.body.map { parameter -> JSON.Object.Member in
                var schema = schema(parameter.kind)
                if case .object(var object) = schema {
                    object["description"] = .string(parameter.meaning)
                    schema = .object(object)
                }
                return .init(parameter.name, schema)
            }
            operation["requestBody"] = .object([
                "content": .object([
                    "application/json": .object([
                        "schema": .object([
                            "type": "object", "properties": .object(JSON.Object(properties)),
                            "required": .array(endpoint.body.filter(\.isRequired).map { .string($0.name) }),
                        ])
                    ])
                ])
            ])
        }
        operation["responses"] = .object(responses(endpoint))
        return .object(operation)
    }

    private static func responses(_ endpoint: Endpoint) -> JSON.Object {
        let type = endpoint.surface == .open ? "text/plain" : "application/json"
        let properties = endpoint.answer.map {
            JSON.Object.Member($0.name, .object(["description": .string($0.meaning)]))
        }
        let schema: JSON =
            endpoint.surface == .open
            ? .object(["const": "PONG"])
            : properties.isEmpty
                ? .object([:])
                : .object(["type": "object", "properties": .object(JSON.Object(properties))])
        func problem(_ description: String) -> JSON {
            .object([
                "description": .string(description),
                "content": .object([
                    "application/json": .object(["schema": .object(["$ref": "#/components/schemas/Error"])])
                ]),
            ])
        }
        let success = endpoint.surface == .api && endpoint.changes && !endpoint.path.hasSuffix("/stop") ? "202" : "200"
        var responses: JSON.Object = [
            success: .object([
                "description": .string(endpoint.summary), "content": .object([type: .object(["schema": schema])]),
            ])
        ]
        // A dry run changes nothing.
        if success == "202" { responses["200"] = .object(["description": "how many match"]) }
        guard endpoint.surface != .open else { return responses }
        responses["401"] = problem("who asks isn't known")
        responses["403"] = problem("who asks may not do it")
        if endpoint.path.contains("{") { responses["404"] = problem("there is no such thing") }
        responses["422"] = problem("a value makes no sense")
        responses["503"] = problem("a database or the broker can't be reached")
        return responses
    }

    private static func schema(_ kind: Endpoint.Parameter.Kind) -> JSON {
        switch kind {
        case .text: .object(["type": "string"])
        case .integer: .object(["type": "integer"])
        case .boolean: .object(["type": "boolean"])
        case .time: .object(["type": "string", "format": "date-time"])
        case .ids: .object(["type": "array", "items": .object(["type": "integer"]), "maxItems": .integer(1000)])
        case .choice(let words): .object(["enum": .array(words.map(JSON.string))])
        case .document: .object([:])
        }
    }
}
