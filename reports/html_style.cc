// The page's style sheet. Called by the page writer.
// Must never load anything: no @import, no url(), no fonts but the system's.
#include "reports/html.h"

namespace reports {
namespace {

constexpr std::string_view kStyle = R"css(
:root{--bg:#fff;--ink:#1c2430;--mute:#566270;--line:#dfe3e8;--soft:#f5f7f9;--link:#0b5cad;--good:#0a6b3d;--goodbg:#e5f4ec;
--bad:#a3201d;--badbg:#fbe9e7;--unsure:#7a4d00;--unsurebg:#fdf1dc;--neutral:#414b57;--neutralbg:#eceff3;--sim:#5b3a91;--simbg:#f0eaf9}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:16px}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1,h2,h3,h4,p,dl,dd,figure,ol,ul{margin:0;padding:0}
.inner,nav,main,footer{max-width:1120px;margin:0 auto;padding-left:24px;padding-right:24px}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.top{background:var(--soft);border-bottom:1px solid var(--line);border-top:6px solid var(--neutral);padding:32px 0 28px}
.top.good{border-top-color:var(--good)}.top.bad{border-top-color:var(--bad)}.top.unsure{border-top-color:#b87900}
.kicker{color:var(--mute);font-size:14px;letter-spacing:.02em}
h1{font-size:32px;line-height:1.2;font-weight:680;letter-spacing:-.015em;margin:6px 0 16px}
.verdict{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 12px;font-size:18px;line-height:1.45}
.verdict strong,.verdict .symbol{font-size:24px;font-weight:720;letter-spacing:.01em}
.good .verdict strong,.good .verdict .symbol{color:var(--good)}.bad .verdict strong,.bad .verdict .symbol{color:var(--bad)}
.unsure .verdict strong,.unsure .verdict .symbol{color:var(--unsure)}
.verdict .why{flex:1 1 420px;max-width:74ch}
.simnote{margin-top:14px;max-width:84ch;color:var(--sim);font-size:15px}
.sim{display:inline-block;font-size:11px;line-height:1.6;font-weight:600;padding:0 7px;border-radius:9px;background:var(--simbg);color:var(--sim);
vertical-align:2px;letter-spacing:.02em;white-space:nowrap}
.sim.strong{font-size:13px;padding:1px 10px;margin-left:6px;vertical-align:0}
.facts{display:flex;flex-wrap:wrap;gap:10px 32px;margin-top:20px;font-size:14px}
.facts dt{color:var(--mute);font-size:12px}.facts dd{font-weight:550}
nav{padding-top:16px}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px;padding-bottom:14px;border-bottom:1px solid var(--line)}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
section{margin-top:52px}
h2{font-size:23px;line-height:1.25;font-weight:660;letter-spacing:-.01em;margin-bottom:8px}
h3{font-size:17px;line-height:1.35;font-weight:640;margin:32px 0 10px}
h4{font-size:14.5px;line-height:1.35;font-weight:620}
.lead{color:var(--mute);max-width:78ch;margin-bottom:18px}
.quiet{color:var(--mute);font-size:14px}
p+.quiet{margin-top:2px}
section>.quiet{margin-top:10px}
.empty{color:var(--mute);background:var(--soft);border-left:3px solid var(--line);padding:10px 14px;margin:10px 0;font-size:15px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:20px}
.card{border:1px solid var(--line);border-top:4px solid var(--neutral);border-radius:10px;padding:20px 22px 18px;min-width:0}
.card.good{border-top-color:var(--good)}.card.bad{border-top-color:var(--bad)}.card.unsure{border-top-color:#b87900}
.card header{display:flex;justify-content:space-between;gap:12px;align-items:flex-start}
.card h3{margin:0;font-size:18px}
.big{font-size:44px;line-height:1.1;font-weight:700;letter-spacing:-.02em;margin-top:14px}
.big .ci{font-size:18px;letter-spacing:0;font-weight:450}
.big .none{font-size:17px;letter-spacing:0;font-weight:500}
.efficiency{font-size:15px;margin-top:6px}
.lines{margin-top:16px;display:grid;gap:12px}
.lines dt{font-size:14px}.lines dd{display:grid;grid-template-columns:minmax(80px,1fr) minmax(150px,auto);gap:12px;align-items:center}
.rate{font-size:14px;text-align:right}.facts div,.facts dd,.lines div,.lines dd{min-width:0}
.meter{display:block;border-radius:3px}
.key{color:var(--mute);font-size:12.5px;margin-top:8px}
.reason{margin-top:12px;padding-top:12px;border-top:1px solid var(--line);font-size:15px}
.pill{display:inline-block;max-width:100%;font-size:13px;line-height:1.5;font-weight:620;padding:1px 10px;border-radius:12px;
background:var(--neutralbg);color:var(--neutral)}
.pill.good{background:var(--goodbg);color:var(--good)}.pill.bad{background:var(--badbg);color:var(--bad)}
.pill.unsure{background:var(--unsurebg);color:var(--unsure)}
.scroll{overflow-x:auto;margin:8px 0}
table{border-collapse:collapse;width:100%;font-size:14px;line-height:1.4}
caption span{position:sticky;left:0;display:inline-block;max-width:min(100%,calc(100vw - 32px))}
caption{text-align:left;color:var(--mute);font-size:13px;padding:6px 0}
th,td{padding:8px 14px 8px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:normal}
th:last-child,td:last-child{padding-right:4px}
thead th{font-size:12.5px;font-weight:600;color:var(--mute);vertical-align:bottom;border-bottom:1px solid var(--mute)}
tbody th{font-weight:560}
tbody th,td{max-width:46ch}
.num{text-align:right;white-space:nowrap}
.long{min-width:24ch;overflow-wrap:anywhere}
table.narrow{width:auto;min-width:min(100%,560px)}table.narrow th,table.narrow td{padding-right:32px}
table.narrow th:last-child,table.narrow td:last-child{padding-right:4px}
.arm,.short,td .pill{white-space:nowrap}.sub{display:inline-block;min-width:16ch;color:var(--mute);font-size:13px}.pills{margin:4px 0 14px}.pills .pill{margin-right:6px}
tbody tr:hover{background:var(--soft)}
.ci{color:var(--mute);font-size:.9em;white-space:nowrap}
.none{color:var(--mute);font-style:normal}
sup{font-size:10px;line-height:0;color:var(--mute);margin-left:2px}
.notes{margin:2px 0 12px 18px;font-size:12.5px;color:var(--mute)}
details{margin:10px 0}
summary{cursor:pointer;color:var(--link);font-size:14px;width:max-content;max-width:100%}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:28px 36px;margin-top:10px}
figure{min-width:0}
.plots.three{grid-template-columns:repeat(auto-fit,minmax(min(100%,290px),1fr))}
@media(min-width:900px){.plots.pair{grid-template-columns:minmax(0,2fr) minmax(0,1fr)}}
.forest svg[role=img]{min-width:560px}
figcaption p{color:var(--mute);font-size:13px;max-width:72ch}
.legend{font-size:13px;margin-top:6px}.legend span{display:inline-block;margin-right:14px;max-width:100%}
.swatch{vertical-align:0;flex:none}
svg{display:inline-block}figure svg[role=img]{display:block;height:auto}
pre{margin:0;padding:14px 16px;background:var(--soft);border-radius:8px;font-size:13.5px;line-height:1.5;white-space:pre-wrap}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
.glossary{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px 36px;font-size:14.5px}
.glossary dt{font-weight:620}.glossary dd{color:var(--mute)}
footer{margin-top:64px;padding-top:16px;padding-bottom:40px;color:var(--mute);font-size:13px}
@media(max-width:560px){.inner,nav,main,footer{padding-left:16px;padding-right:16px}h1{font-size:26px}.card{padding:16px}.big{font-size:38px}
.big .ci{display:block;margin-top:4px}.card header{flex-direction:column}.lines dd{grid-template-columns:1fr;gap:4px}.rate{text-align:left}section{margin-top:40px}}
@media(prefers-color-scheme:dark){
:root{--bg:#14171b;--ink:#e7eaee;--mute:#a3adb9;--line:#313840;--soft:#1c2127;--link:#7db8f2;--good:#6fd3a0;--goodbg:#143325;--bad:#ff9d94;
--badbg:#43201d;--unsure:#f2c063;--unsurebg:#3b2d10;--neutral:#c3ccd6;--neutralbg:#2a3037;--sim:#cdb4f5;--simbg:#33264d}
.t{fill:#e7eaee}.m{fill:#a3adb9}.grid{stroke:#2c333b}.axis{stroke:#7a8592}.rule{stroke:#e7eaee}.tick{fill:#e7eaee}.band{fill:#20262d}
.s0{stroke:#56B4E9}.f0{fill:#56B4E9}.s1{stroke:#E69F00}.f1{fill:#E69F00}.s2{stroke:#2BC79A}.f2{fill:#2BC79A}.s3{stroke:#CC79A7}.f3{fill:#CC79A7}
.h{fill:#56B4E9;fill-opacity:calc(.07 + .93*var(--h))}}
@media(forced-colors:active){.pill,.sim{border:1px solid}}
@media print{@page{margin:14mm}
:root{--bg:#fff;--ink:#1c2430;--mute:#4a5561;--line:#cfd5dc;--soft:#fff;--link:#1c2430;--good:#0a6b3d;--goodbg:#fff;--bad:#a3201d;--badbg:#fff;
--unsure:#7a4d00;--unsurebg:#fff;--neutral:#414b57;--neutralbg:#fff;--sim:#5b3a91;--simbg:#fff}
.pill,.sim{border:1px solid currentColor}
body{font-size:11pt}nav,details{display:none}section{margin-top:24pt}figure,.card,tr{break-inside:avoid}h2,h3,h4{break-after:avoid}
thead{display:table-header-group}.scroll{overflow:visible}table{font-size:8.5pt}.num,.ci{white-space:normal}th,td{padding-right:6pt}}
)css";

}  // namespace

std::string_view style_sheet() { return kStyle; }

}  // namespace reports
