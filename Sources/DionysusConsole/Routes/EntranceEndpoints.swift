import Dionysus
import Hummingbird

extension Endpoint {
    /// What is for everybody.
    ///
    /// Logging in and out is answered by ``Login``, which knows the connection.
    static let entrance: [Endpoint] = [
        asset("console.css", "text/css; charset=utf-8", PackageResources.console_css),
        asset("console.js", "text/javascript; charset=utf-8", PackageResources.console_js),
        asset("icon.svg", "image/svg+xml", PackageResources.icon_svg),
    ]

    private static func asset(_ name: String, _ type: String, _ bytes: [UInt8]) -> Endpoint {
        Endpoint(method: .get, path: "/assets/\(name)", surface: .open, role: .read, summary: name) { _ in
            .bytes(type: type, bytes, maxAge: 300)
        }
    }
}
