import sys, msgspec, torch, time
from glm4v_tui.inference.environment import prepare_environment
prepare_environment()
from glm4v_tui.inference import loading
from glm4v_tui.inference.decoding import own_loop
from glm4v_tui.inference.placement import choose_placement
from glm4v_tui.bench.speed_row import _Answers, Row
from torch.profiler import profile, ProfilerActivity
folder,prec=sys.argv[1:3]
model=loading.load(folder, choose_placement(prec,"cuda",lambda n:n), lambda *_:None).model
w=own_loop(model); row=Row(folder,prec)
a=_Answers(w,model,row); a.first(); a.first()
def timed(f):
    torch.cuda.synchronize(); s=time.perf_counter(); f(); e=time.perf_counter()-s; torch.cuda.synchronize(); return e, time.perf_counter()-s
print(prec,"first", timed(lambda: a.first(1)))
sp=w._sight
with torch.inference_mode():
    print("encode (cpu issue, total)", timed(lambda: sp.encode(a._prompt,0)))
    f=sp.encode(a._prompt,0)
    emb=torch.randn(1676,4096,device="cuda",dtype=torch.bfloat16); pos=torch.arange(1676,device="cuda").expand(3,-1)
    print("read 1676", timed(lambda: w._reader.read(w.cache,0,emb,pos)))
    print("read 30", timed(lambda: w._reader.read(w.cache,1676,emb[:30],pos[:,:30])))
    print("spans/pos", timed(lambda: (sp.spans(a._prompt), sp.positions(a._prompt))))
    with profile(activities=[ProfilerActivity.CUDA,ProfilerActivity.CPU]) as p: a.first(1); torch.cuda.synchronize()
print(p.key_averages().table(sort_by="cuda_time_total",row_limit=14,max_name_column_width=60)[:3800])
