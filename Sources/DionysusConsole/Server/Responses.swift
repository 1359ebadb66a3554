import Dionysus
import HTTPTypes
import Hummingbird
import NIOCore

/// Makes responses, with the headers that all of them have.
struct Responses {
    let core: ConsoleCore

    func html(_ document: HTML, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: headers("text/html; charset=utf-8"),
            body: ResponseBody(byteBuffer: ByteBuffer(string: document.text))
        )
    }

    func json(_ json: JSON, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: headers("application/json"),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes + [UInt8(ascii: "\n")]))
        )
    }

    func bytes(_ bytes: [UInt8], _ type: String) -> Response {
        Response(
            status: .ok,
            headers: headers(type),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// Sends the browser to a path of this console: never elsewhere.
    func redirect(_ path: String, cookie: String? = nil) -> Response {
        var response = Response(status: .seeOther, headers: headers("text/plain; charset=utf-8"))
        response.headers[.location] = core.settings.basePath + path
        if let cookie { response.headers[.setCookie] = cookie }
        return response
    }

    /// A problem as a page for people.
    func problemPage(_ status: HTTPResponse.Status, _ text: String) -> Response {
        let frame = Frame(core: core, identity: nil, formToken: "", address: "/")
        return html(frame.document(.problem(status, text)), status)
    }

    /// A problem as JSON for programs.
    func problem(_ status: HTTPResponse.Status, _ text: String, _ code: DionysusError.Code? = nil) -> Response {
        var object: JSON.Object = ["error": .bool(true), "message": .string(text)]
        object["code"] = code.map { .string($0.description) }
        return json(.object(object), status)
    }

    private func headers(_ type: String) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store",
            .contentSecurityPolicy:
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
                + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            .xContentTypeOptions: "nosniff",
        ]
        for (name, value) in [
            ("Referrer-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }
}
